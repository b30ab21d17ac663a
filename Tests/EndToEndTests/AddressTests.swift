import Convergence
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Addresses in every form that a person may give, and those that lead nowhere.
    @Suite struct Addresses {
        static let training = ["--epochs", "1", "--batch-size", "100"]

        /// The coordinator's address as it is bound, and how members are given it.
        struct Form: CustomTestStringConvertible {
            let bind: String
            let given: @Sendable (UInt16) -> String
            let testDescription: String
        }

        static let forms = [
            Form(
                bind: "tcp://127.0.0.1:0", given: { "127.0.0.1:\($0)" },
                testDescription: "HOST:PORT"),
            Form(bind: "127.0.0.1:0", given: { "localhost:\($0)" }, testDescription: "name:PORT"),
            Form(
                bind: "tcp://[::1]:0", given: { "tcp://[::1]:\($0)" }, testDescription: "[::1]"),
            Form(bind: "[::1]:*", given: { "[::1]:\($0)" }, testDescription: "[::1] alone"),
        ]

        @Test(arguments: forms)
        func coordinatorServerAndWorkerMeet(form: Form) throws {
            let lockstep = try Lockstep()
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", form.bind, "--min-workers", "1", "--servers-apart",
                    "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            let endpoint = try coordinator.endpoint()
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            let isVersion6 = form.bind.contains("[")
            #expect(endpoint == "tcp://\(isVersion6 ? "[::1]" : "127.0.0.1"):\(port)")
            let address = ["--coordinator", form.given(port)]
            let server = try lockstep.start(
                ["server"] + address + (isVersion6 ? ["--bind", "tcp://[::1]:0"] : []))
            let worker = try lockstep.start(["worker"] + address)
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            for member in [server, worker] {
                let end = member.end()
                #expect(end.status == 0, "\(end.standardError)")
            }
        }

        @Test func aClusterOfVersion6HostsItsServer() throws {
            let lockstep = try Lockstep()
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://[::1]:0", "--min-workers", "2", "--run-dir",
                    lockstep.folder.path("run"),
                ] + Self.training)
            let address = ["--coordinator", try coordinator.endpoint()]
            let workers = try (0..<2).map { _ in try lockstep.start(["worker"] + address) }
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            for worker in workers { #expect(worker.end().status == 0) }
        }

        /// It is told as soon as the resolver has answered, and again when the wait is over.
        @Test(arguments: ["worker", "server"])
        func aNameThatDoesNotResolveIsNamed(role: String) throws {
            let member = try Lockstep().start([
                role, "--coordinator", "nowhere.invalid:29500", "--insecure",
                "--wait-timeout", "3",
            ])
            let isTold = member.says("nowhere.invalid does not resolve")
            #expect(isTold && member.isRunning, "\(member.standardError)")
            let run = member.end()
            #expect(run.status == 69)
            for word in ["tcp://nowhere.invalid:29500", "does not resolve", "within 3 s"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        /// Every command that opens sockets says what it lacks, where libzmq would abort.
        @Test(arguments: [
            "train --epochs 1", "compare --epochs 1", "sweep seed=1 --epochs 1 --workers 2",
            "coordinator", "worker", "server",
        ])
        func tooFewFileDescriptorsAreNamed(command: String) throws {
            let lockstep = try Lockstep()
            let shell = try RunningTool(
                URL(fileURLWithPath: "/bin/bash"),
                [
                    "-c",
                    "ulimit -n 20 && cd \(lockstep.folder.path) && exec \(Lockstep.program.path) \(command)",
                ],
                environment: lockstep.environment)
            let run = shell.end()
            #expect(run.status == 69, "\(run.standardError)")
            for word in ["at most 20", "RLIMIT_NOFILE", "ulimit -n"] {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
        }
    }
}
