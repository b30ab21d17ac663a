import Convergence
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension EndToEndTests {
    /// Junk, a port scan and a browser at every port of a session that goes on.
    @Suite struct HostilePeers {
        private static let training = ["--epochs", "20", "--batch-size", "32"]

        @Test func trainingIsNotDisturbed() throws {
            let lockstep = try Lockstep()
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "2",
                    "--servers", "2", "--servers-apart", "--json", "--run-dir",
                    lockstep.folder.path("run"),
                ] + Self.training)
            let address = ["--coordinator", try coordinator.endpoint()]
            let members = try ["server", "server", "worker", "worker"].map {
                try lockstep.start([$0] + address)
            }
            try #require(coordinator.says("train loss"), "\(coordinator.standardError)")

            let roles = [coordinator] + members.prefix(2)
            var noise = SeededRandom(seed: 17)
            for role in roles {
                let ports = listeningPorts(of: role.processID)
                try #require(ports.count == 1, "\(ports)")
                for port in ports { try disturb(port, &noise) }
            }
            try #require(coordinator.isRunning, "the run was over too soon to be disturbed")

            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            let ends = members.map { $0.end() }
            for end in ends { #expect(end.status == 0, "\(end.standardError)") }
            // Four frames of one peer are told of once, by whoever got them. Noise may pass for a peer of
            // ZMTP 1, which has no greeting, and is then told of once, too; the rest never was a frame.
            for role in [run] + ends.prefix(2) {
                let text = role.standardError
                #expect(text.matches(of: /ignored.*not a frame of Lockstep/).count == 1, "\(text)")
                #expect(text.matches(of: /ignored/).count <= 2, "\(text)")
            }
        }

        private func disturb(_ port: UInt16, _ noise: inout SeededRandom) throws {
            let junk = noise.pixels(4_096, density: 1)
            for _ in 0..<20 { _ = try TCPConnection(port: port) }
            try TCPConnection(port: port).write(junk)
            let browser = try TCPConnection(port: port)
            browser.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
            let dealer = try DealerPeer("tcp://127.0.0.1:\(port)")
            for bytes in [junk, Array("hello".utf8), [], Array(junk.prefix(64))] {
                try dealer.send(bytes)
            }
            // A message that is queued is not delivered yet, and the socket does not linger.
            usleep(100_000)
        }
    }
}
