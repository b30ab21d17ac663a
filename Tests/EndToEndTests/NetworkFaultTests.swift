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
            let run = try startCoordinator(["--wait-timeout", "1", "--servers", "1"]).end()
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

        /// A release whose frames are ours, and whose arithmetic is not.
        @Test func workersOfOtherArithmeticAreRefused() throws {
            let coordinator = try startCoordinator()
            let dealer = try DealerPeer(coordinator.endpoint())
            try dealer.send(Frames.status(1, Frames.joining(nonce: 1, arithmeticVersion: 99)))
            guard case .refused(let reason) = try dealer.nextAssignment().0.duty else {
                Issue.record("the answer is not a refusal")
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

        /// It is told in a frame that any version refuses, and learns our version from.
        @Test(arguments: [
            (1, Frames.ofFirstVersion),
            (99, Frames.ofVersion(99, Frames.status(1, Frames.joining(nonce: 1)))),
        ])
        func peersOfOtherVersionsAreToldOurs(version: Int, frame: [UInt8]) throws {
            let coordinator = try startCoordinator()
            let dealer = try DealerPeer(coordinator.endpoint())
            try dealer.send(frame)
            let answer = try dealer.next()
            #expect(answer.count >= 8)
            #expect(answer.prefix(4) == [0x4c, 0x4b, 0x53, 0x54])
            #expect(UInt16(answer[4]) | UInt16(answer[5]) << 8 == protocolVersion)
            #expect(coordinator.says("protocol version \(version)"))
            #expect(coordinator.isRunning)
            coordinator.send(SIGTERM)
            #expect(coordinator.end().status == 143)
        }

        @Test(arguments: ["worker", "server"], [1, 99] as [UInt16])
        func coordinatorsOfOtherVersionsAreLeft(role: String, version: UInt16) throws {
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
            let answer =
                version == 1
                ? Frames.ofFirstVersion
                : Frames.ofVersion(
                    version, Frames.frame(.assignment(1), session: SessionID(rawValue: 1)))
            let peer = try #require(sender)
            try #require(try router.send(Message(copying: answer), to: peer).isSent)
            let run = member.end()
            #expect(run.status == 78)
            for word in [endpoint.text, "version \(version)", "same release"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        /// Numbers that a stranger may write end nothing.
        @Test func extremeNumbersInAStatusAreSurvived() throws {
            let coordinator = try startCoordinator()
            let endpoint = try coordinator.endpoint()
            let highest = StatementNumber(rawValue: Limits.maximumStatementNumber)
            let dealer = try DealerPeer(endpoint)
            let statuses = [
                Frames.status(
                    highest,
                    Frames.joining(
                        nonce: 1, reached: highest, phase: .leaving(StopReason(.success, "")))),
                Frames.status(highest, Frames.joining(nonce: 2, reached: highest), incarnation: 99),
                Frames.status(1, Frames.joining(nonce: 3)),
                Frames.status(1, Frames.joining(nonce: 4)),
            ]
            for status in statuses {
                try dealer.send(status)
                _ = try dealer.nextAssignment()
            }
            for nonce: UInt64 in [3, 4] {
                let claim = Frames.joining(
                    nonce: nonce, reached: highest, phase: .joining(datasetBytes: .max))
                try dealer.send(Frames.status(highest, claim))
            }
            // The sums over members are made by the clock.
            usleep(200_000)
            try #require(coordinator.isRunning, "\(coordinator.standardError)")
            // They are members that never get ready: a worker that does starts the run.
            let worker = try lockstep.start(["worker", "--coordinator", endpoint])
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(worker.end().status == 0)
        }

        /// A server inside the coordinator has a fixed port beyond loopback. What keeps it from
        /// opening it ends the session before it began, and is told.
        @Test func aHostedServerThatCannotOpenItsPortIsNamed() throws {
            let context = try Context()
            let holder = try Socket(.router, in: context)
            var port: UInt16 = 0
            // The two ports below are the coordinator's own.
            repeat {
                port = try #require(try holder.bind(to: Endpoint("tcp://0.0.0.0:*")).port)
            } while !isFree(port - 1, context) || !isFree(port - 2, context)
            let run = try lockstep.run([
                "coordinator", "--bind", "tcp://0.0.0.0:\(port - 2)", "--advertise", "127.0.0.1",
                "--insecure", "--servers", "1", "--run-dir", lockstep.folder.path("run"),
            ])
            #expect(run.status == 69, "\(run.standardError)")
            for word in ["tcp://0.0.0.0:\(port)", "in use", "(process \(getpid()))", "--bind"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        private func isFree(_ port: UInt16, _ context: Context) -> Bool {
            guard let socket = try? Socket(.router, in: context),
                let endpoint = try? Endpoint.tcp(host: "0.0.0.0", port: port)
            else { return false }
            return (try? socket.bind(to: endpoint)) != nil
        }
    }
}
