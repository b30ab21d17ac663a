import Foundation
import RunRecords
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

        /// A coordinator that binds everywhere leaves to its members by which of its addresses they
        /// reach it, on all its ports.
        @Test func whoBindsEverywhereNeedsNoName() throws {
            let lockstep = try Lockstep()
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let port = likelyFreePort(count: 4)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://*:\(port)", "--workers", "3", "--servers", "2",
                    "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            try #require(
                coordinator.says("others reach it at tcp://"), "\(coordinator.standardError)")
            let workers = try ["127.0.0.1", "[::1]", "localhost"].map {
                try lockstep.start(["worker", "--coordinator", "tcp://\($0):\(port)"])
            }
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            for worker in workers { #expect(worker.end().status == 0) }
        }

        /// Ports of a range that is open in a firewall; those that are taken are left out.
        @Test func dataPortsAreOfTheRangeThatIsGiven() throws {
            let lockstep = try Lockstep()
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let first = likelyFreePort(count: 6)
            let taken = try LineServer("", port: first + 1)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--data-ports",
                    "\(first)-\(first + 5)", "--servers", "2", "--min-workers", "2", "--json",
                    "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            let endpoint = try coordinator.endpoint()
            let servers = coordinator.standardError
            let worker = try lockstep.start(["worker", "--coordinator", endpoint])
            let doctor = try lockstep.run(["doctor", "--json", "--coordinator", endpoint])
            // Two servers of one process bind in any order.
            #expect(
                [[0, 2, 3], [0, 3, 2]].contains { offsets in
                    let ports = offsets.map { "tcp://127.0.0.1:\(first + $0)" }
                    return doctor.standardOutput.contains(
                        "3 answer: " + ports.joined(separator: ", "))
                }, "\(doctor.standardOutput) \(servers)")
            let other = try lockstep.start(["worker", "--coordinator", endpoint])
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(worker.end().status == 0 && other.end().status == 0)
            withExtendedLifetime(taken) {}
        }

        @Test func aRangeWithoutAFreePortIsNamed() throws {
            let lockstep = try Lockstep()
            let first = likelyFreePort(count: 2)
            let taken = try (0..<2).map { try LineServer("", port: first + $0) }
            let run = try lockstep.run([
                "coordinator", "--bind", "tcp://127.0.0.1:0", "--data-ports",
                "\(first)-\(first + 1)",
            ])
            #expect(run.status == 69, "\(run.standardError)")
            for words in ["\(first)", "\(first + 1)", "--data-ports"] {
                #expect(run.message.contains(words), "\(run.message)")
            }
            withExtendedLifetime(taken) {}
        }

        /// A data port that a worker does not reach ends it in time, and both ends are named.
        @Test func aDataPortThatIsClosedIsNamedWithBothEnds() throws {
            let lockstep = try Lockstep()
            let port = likelyFreePort(count: 8)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://0.0.0.0:\(port)", "--advertise",
                    "127.0.0.1:\(port + 4)", "--workers", "1", "--servers", "1", "--run-dir",
                    lockstep.folder.path("run"),
                ] + Self.training)
            try #require(coordinator.says("listening on"), "\(coordinator.standardError)")
            let worker = try lockstep.start([
                "worker", "--coordinator", "127.0.0.1:\(port)", "--wait-timeout", "3", "--data",
                try #require(lockstep.environment["LOCKSTEP_DATA"]),
            ])
            let run = worker.end()
            #expect(run.status == 69, "\(run.standardError)")
            #expect(run.standardError.contains("still trying"))
            for words in [
                "the server of shard 0 at tcp://127.0.0.1:\(port + 6)", "from 127.0.0.1 (lo)",
                "refused",
            ] {
                #expect(run.message.contains(words), "\(run.message)")
            }
            coordinator.send(SIGTERM)
        }

        /// An address that workers cannot reach is told on both sides within the wait, with both
        /// ends.
        @Test func anAdvertisedAddressThatLeadsNowhereIsNamed() throws {
            let lockstep = try Lockstep()
            // Of a network that is for documents only.
            let nowhere = "tcp://198.51.100.1:"
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--advertise", "198.51.100.1",
                    "--workers", "1", "--wait-timeout", "3", "--run-dir",
                    lockstep.folder.path("run"),
                ] + Self.training)
            let start = ContinuousClock.now
            let worker = try lockstep.start([
                "worker", "--coordinator", try coordinator.endpoint(), "--wait-timeout", "3",
            ])
            let (run, end) = (coordinator.end(), worker.end())
            #expect(start.duration(to: .now) < .seconds(15))
            for told in [run, end] {
                #expect(told.status == 69, "\(told.standardError)")
                #expect(told.message.contains("got nothing of the data set from \(nowhere)"))
                #expect(told.message.contains("--advertise"), "\(told.message)")
            }
            #expect(
                end.message.firstMatch(of: /\(from [^ ]+ .*to tcp:\/\/198\.51\.100\.1:/) != nil,
                "\(end.message)")
        }

        /// So that no router forgets a connection that is idle.
        @Test func connectionsAreKeptAlive() throws {
            let lockstep = try Lockstep()
            let coordinator = try lockstep.start([
                "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "2", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let endpoint = try coordinator.endpoint()
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            let worker = try lockstep.start(["worker", "--coordinator", endpoint])
            try #require(coordinator.says("is ready"), "\(coordinator.standardError)")
            // The timer of kind 2 is that of keep-alive; acknowledgements have another for a
            // moment.
            let hex = String(format: ":%04X", port)
            var seen = ""
            let areKept = try eventually {
                let tables = try ["tcp", "tcp6"].map {
                    // String(contentsOfFile:) ends after the first page of such a file.
                    let table = FileHandle(forReadingAtPath: "/proc/net/\($0)")
                    return String(decoding: try table?.readToEnd() ?? Data(), as: UTF8.self)
                }
                let rows = tables.joined().split(separator: "\n").map { $0.split(separator: " ") }
                seen = rows.filter { $0.count > 5 && $0[1].hasSuffix(hex) }
                    .map { $0.prefix(6).joined(separator: " ") }.joined(separator: "; ")
                let kept = rows.filter {
                    $0.count > 5 && $0[3] == "01" && $0[5].hasPrefix("02:")
                }
                return kept.contains { $0[1].hasSuffix(hex) }
                    && kept.contains { $0[2].hasSuffix(hex) }
            }
            #expect(areKept, "\(seen)")
            withExtendedLifetime(worker) {}
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
            // Once is enough.
            #expect(run.message.split(separator: "does not resolve").count == 2)
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
