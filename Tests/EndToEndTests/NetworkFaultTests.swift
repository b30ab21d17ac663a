import Datasets
import Foundation
import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

extension EndToEndTests {
    /// Peers that are not there, not ours, or not fit for this session.
    @Suite struct NetworkFaults {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private func startCoordinator(_ more: [String] = []) throws -> RunningTool {
            try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "1", "--run-dir",
                    lockstep.folder.path("run"),
                ] + more)
        }

        @Test func aPortInUseIsNamedWithItsHolder() throws {
            let context = try Context()
            let holder = try Socket(.router, in: context)
            let endpoint = try holder.bind(to: Endpoint("tcp://127.0.0.1:*"))
            let run = try lockstep.run(["coordinator", "--bind", endpoint.text])
            #expect(run.status == 69)
            for word in [endpoint.text, "in use", "(process \(getpid()))", "--bind"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
            let server = try lockstep.run([
                "server", "--coordinator", "tcp://127.0.0.1:1", "--bind", endpoint.text,
            ])
            #expect(server.status == 69)
            #expect(server.message.contains("(process \(getpid()))"), "\(server.message)")
        }

        /// One that is not there, and one that accepts connections and says nothing.
        @Test(arguments: ["worker", "server"], [false, true])
        func aSilentCoordinatorIsNotWaitedForForEver(role: String, listens: Bool) throws {
            let context = try Context()
            let silent = try Socket(.router, in: context)
            let endpoint = try silent.bind(to: Endpoint("tcp://127.0.0.1:*"))
            if !listens { try silent.unbind(from: endpoint) }
            let start = Date()
            let run = try lockstep.run([
                role, "--coordinator", endpoint.text, "--wait-timeout", "1",
            ])
            #expect(run.status == 69)
            #expect(Date().timeIntervalSince(start) >= 1)
            for word in [endpoint.text, "within 1 s", "--wait-timeout"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        @Test func missingWorkersAreNotWaitedForForEver() throws {
            let run = try startCoordinator(["--wait-timeout", "1"]).end()
            #expect(run.status == 69)
            for word in ["after 1 s", "0 of 1 workers", "1 of 1 servers", "--wait-timeout"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
            let lonely = try startCoordinator(["--wait-timeout", "1", "--servers-apart"]).end()
            #expect(lonely.status == 69)
            #expect(lonely.message.contains("0 of 1 servers"), "\(lonely.message)")
        }

        @Test func aWorkerWithOtherDataIsRefused() throws {
            let coordinator = try startCoordinator()
            let other = SyntheticDigits(trainCount: 64, testCount: 16).dataset()
            let folder = try TemporaryFolder()
            try SmallDigits.write(other, to: folder)
            let worker = try lockstep.start([
                "worker", "--coordinator", try coordinator.endpoint(), "--data", folder.path,
            ]).end()
            #expect(worker.status == 78)
            for word in ["\(other.sha256)", "\(SmallDigits.dataset.sha256)", "without --data"] {
                #expect(worker.message.contains(word), "\(worker.message)")
            }
            #expect(coordinator.says("was refused"))
            #expect(coordinator.isRunning)
            coordinator.send(SIGTERM)
            #expect(coordinator.end().status == 143)
        }

        /// What a process of another release would say first, and the answer that ends it.
        @Test(arguments: ["frame", "protocol", "arithmetic"])
        func workersOfOtherVersionsAreRefused(what: String) throws {
            let coordinator = try startCoordinator()
            let hello = Hello(
                role: .worker, host: "elsewhere", processID: 4711, nonce: 1,
                protocolVersion: what == "protocol" ? 99 : protocolVersion,
                arithmeticVersion: what == "arithmetic" ? 99 : arithmeticVersion)
            var frame = try ControlMessage.hello(hello).frame(session: .none, incarnation: .none)
            if what == "frame" { frame[4] = 99 }
            let dealer = try DealerPeer(coordinator.endpoint())
            try dealer.send(frame)
            guard case .refused(let reason) = try dealer.nextControlMessage() else {
                Issue.record("the answer is no refusal")
                return
            }
            #expect(reason.exitCode == .mismatch)
            for word in ["version 99", "same release"] {
                #expect(reason.text.contains(word), "\(reason.text)")
            }
            #expect(coordinator.says("version 99"))
            coordinator.send(SIGTERM)
            #expect(coordinator.end().status == 143)
        }

        @Test(arguments: ["worker", "server"])
        func coordinatorsOfOtherVersionsAreLeft(role: String) throws {
            let context = try Context()
            let router = try Socket(.router, in: context)
            let endpoint = try router.bind(to: Endpoint("tcp://127.0.0.1:*"))
            let member = try lockstep.start([role, "--coordinator", endpoint.text])
            var message = Message()
            var sender: RoutingID?
            let came = try eventually {
                guard case .message(let from) = try router.receiveRouted(into: &message) else {
                    return false
                }
                sender = from
                return true
            }
            try #require(came)
            let welcome = Welcome(
                session: SessionID(rawValue: 1), incarnation: 1,
                dataset: DatasetDescription(
                    name: "any", sha256: "", byteCount: 0, trainingExampleCount: 1))
            var frame = try ControlMessage.welcome(welcome).frame(
                session: SessionID(rawValue: 1), incarnation: .none)
            frame[4] = 99
            let peer = try #require(sender)
            try #require(try router.send(Message(copying: frame), to: peer).isSent)
            let run = member.end()
            #expect(run.status == 78)
            for word in [endpoint.text, "version 99", "same release"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }
    }
}

/// A DEALER that speaks to a port of ours whatever it likes.
final class DealerPeer {
    private let context: Context
    private let socket: Socket

    init(_ endpoint: String) throws {
        context = try Context()
        socket = try Socket(.dealer, in: context)
        try socket.connect(to: Endpoint(endpoint))
    }

    func send(_ bytes: [UInt8]) throws {
        let isSent = try eventually { try socket.send(Message(copying: bytes)).isSent }
        try #require(isSent)
    }

    func nextControlMessage() throws -> ControlMessage {
        var message = Message()
        let came = try eventually { try socket.receive(into: &message) == .message }
        try #require(came, "no answer")
        let control = try unsafe message.withUnsafeBytes { frame in
            try unsafe ControlMessage(
                frame: frame, header: FrameCodec.decodeHeader(of: frame))
        }
        return try #require(control)
    }
}
