import Foundation
import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

extension EndToEndTests {
    /// Each fault that is planted is named, with a remedy, in time, and with the code of a run that
    /// fails for it.
    @Suite struct Doctor {
        let lockstep: Lockstep
        let key: String

        init() throws {
            lockstep = try Lockstep(usesKeys: true)
            key = try lockstep.makeKey()
        }

        /// What a `--json` report says.
        struct Report: Decodable {
            struct Host: Decodable {
                let name: String
                let checks: [Check]
            }
            struct Check: Decodable {
                let topic: String
                let verdict: String
                let text: String
                let remedy: String?
                let exitCode: Int32?
            }
            struct Forecast: Decodable {
                let placement: String
                let examplesPerSecond: Double
            }
            let hosts: [Host]
            let forecast: [Forecast]
            let fastest: String?
            let verdict: String
            let exitCode: Int32?
        }

        func report(_ run: ToolRun) throws -> Report {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Report.self, from: Data(run.standardOutput.utf8))
        }

        /// Looks, and expects one topic to be of a colour, with these words and a remedy.
        func expect(
            _ colour: String, _ topic: String, _ words: [String], exitCode: Int32 = 0,
            _ arguments: [String], _ more: [String: String] = [:], within shell: String? = nil,
            inNamespace: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let command =
                ["doctor", "--json", "--run-dir", lockstep.folder.path("run")] + arguments
            let began = Date()
            let run: ToolRun
            if let shell {
                let bash = [
                    "bash", "-c", "\(shell) exec \"$@\"", "doctor", Lockstep.program.path,
                ]
                run = try RunningTool(
                    URL(fileURLWithPath: "/usr/bin/env"),
                    (inNamespace ? Self.namespace : []) + bash + command,
                    environment: lockstep.environment.merging(more) { $1 }
                ).end()
            } else {
                run = try lockstep.run(command, more)
            }
            let seconds = Date().timeIntervalSince(began)
            #expect(seconds < 5, "\(topic) took \(seconds) s", sourceLocation: sourceLocation)
            let report = try report(run)
            let checks = report.hosts.flatMap(\.checks)
            let check = try #require(
                checks.first { $0.topic == topic }, "\(run.output)",
                sourceLocation: sourceLocation)
            #expect(check.verdict == colour, "\(run.output)", sourceLocation: sourceLocation)
            for word in words {
                #expect(
                    (check.text + " " + (check.remedy ?? "")).contains(word),
                    "\(word): \(check)", sourceLocation: sourceLocation)
            }
            #expect(check.remedy?.isEmpty == false, sourceLocation: sourceLocation)
            #expect(run.status == exitCode, "\(run.output)", sourceLocation: sourceLocation)
            #expect(report.exitCode ?? 0 == exitCode, sourceLocation: sourceLocation)
            // Nothing else is made out to be broken.
            let reds = checks.filter { $0.verdict == "red" }.map(\.topic)
            #expect(
                reds == (colour == "red" ? [topic] : []), "\(reds)",
                sourceLocation: sourceLocation)
        }

        /// A root of one's own, for mounts that go with the process.
        static let namespace = ["unshare", "--map-root-user", "--mount"]
        static let hasNamespaces: Bool = {
            let run = try? ToolRun(URL(fileURLWithPath: "/usr/bin/env"), namespace + ["true"])
            return run?.status == 0
        }()

        func coordinator(_ more: [String] = []) throws -> (RunningTool, String) {
            let process = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--epochs", "1", "--run-dir",
                    lockstep.folder.path("coordinator"),
                ] + (more.contains("--key") ? [] : ["--insecure"]) + more)
            return (process, try process.endpoint())
        }

        // MARK: A host without a fault

        @Test func aSoundHostIsGreenAndItsFastestPlacementIsNamed() throws {
            let run = try lockstep.run([
                "doctor", "--json", "--key", key, "--bind", "tcp://127.0.0.1:0", "--batch-size",
                "512",
            ])
            #expect(run.status == 0, "\(run.standardError)")
            let report = try report(run)
            let verdicts = report.hosts.flatMap(\.checks).map { "\($0.topic) \($0.verdict)" }
            #expect(!verdicts.contains { $0.hasSuffix("red") }, "\(verdicts)")
            #expect(report.fastest == report.forecast.first?.placement)
            let rates = report.forecast.map(\.examplesPerSecond)
            #expect(rates == rates.sorted(by: >) && rates.allSatisfy { $0 > 0 })
            #expect(report.forecast.contains { $0.placement == "--workers 2 --threads 1" })
            let table = try lockstep.run(["doctor", "--bind", "tcp://127.0.0.1:0"])
            #expect(table.standardOutput.contains("fastest"), "\(table.output)")
        }

        @Test func aSoundClusterIsGreen() throws {
            let (process, endpoint) = try coordinator(["--key", key, "--servers", "2"])
            let run = try lockstep.run([
                "doctor", "--json", "--key", key, "--coordinator", endpoint,
            ])
            let report = try report(run)
            let checks = report.hosts.flatMap(\.checks)
            #expect(run.status == 0 && report.verdict != "red", "\(run.output)")
            for topic in [
                "name", "port", "key", "same release", "same data", "same time", "data ports",
                "link",
            ] {
                let check = checks.first { $0.topic == topic }
                #expect(check?.verdict == "green", "\(topic): \(run.output)")
            }
            #expect(checks.first { $0.topic == "data ports" }?.text.contains("3 answer") == true)
            // It is not a member, and has disturbed nobody.
            process.send(SIGINT)
            #expect(!process.end().standardError.contains("joined worker"))
        }

        // MARK: The way

        @Test func portThatIsClosed() throws {
            let port = likelyFreePort()
            try expect(
                "red", "port", ["127.0.0.1", ":\(port)", "refused", "start the coordinator"],
                exitCode: 69, ["--coordinator", "tcp://127.0.0.1:\(port)"])
        }

        /// An address that nothing answers: RFC 5737 keeps it for documents.
        @Test func portThatIsSwallowed() throws {
            try expect(
                "red", "port", ["192.0.2.1:29500"], exitCode: 69,
                ["--coordinator", "tcp://192.0.2.1:29500", "--insecure"])
        }

        @Test func nameThatIsWrong() throws {
            try expect(
                "red", "name", ["nowhere.invalid", "/etc/hosts"], exitCode: 69,
                ["--coordinator", "tcp://nowhere.invalid:29500", "--insecure"])
        }

        /// The coordinator listens by version 4, and the name leads to version 6 only.
        @Test(.enabled(if: hasNamespaces, "mounting takes a namespace"))
        func nameOfVersion6Only() throws {
            let (process, endpoint) = try coordinator()
            let port = try #require(endpoint.split(separator: ":").last)
            let hosts = lockstep.folder.path("hosts")
            try lockstep.folder.write("::1 only-six.test\n", "hosts")
            try expect(
                "red", "port", ["::1", "IPv6 addresses only"], exitCode: 69,
                ["--coordinator", "tcp://only-six.test:\(port)", "--insecure"],
                within: "mount --bind \(hosts) /etc/hosts &&", inNamespace: true)
            withExtendedLifetime(process) {}
        }

        @Test func wrongInterface() throws {
            try expect(
                "red", "ports", ["203.0.113.7", "127.0.0.1 (lo)"], exitCode: 69,
                ["--bind", "tcp://203.0.113.7:29500", "--insecure"])
        }

        @Test func portThatIsTaken() throws {
            let port = likelyFreePort()
            let context = try Context()
            let holder = try Socket(.router, in: context)
            _ = try holder.bind(to: Endpoint("tcp://127.0.0.1:\(port)"))
            try expect(
                "red", "ports", ["127.0.0.1:\(port)", "in use", "process"], exitCode: 69,
                ["--bind", "tcp://127.0.0.1:\(port)"])
        }

        @Test func somethingElseThatListens() throws {
            let server = try LineServer(
                "HTTP/1.1 400 Bad Request\r\n\r\n" + String(repeating: "x", count: 64))
            try expect(
                "red", "program", ["not Lockstep"], exitCode: 69,
                ["--coordinator", "tcp://127.0.0.1:\(server.port)"])
        }

        @Test func aPortThatSaysNothing() throws {
            let server = try LineServer("")
            try expect(
                "red", "program", ["says nothing"], exitCode: 69,
                ["--coordinator", "tcp://127.0.0.1:\(server.port)"])
        }

        /// The data ports are advertised where nothing listens, or by a name that nobody knows.
        @Test(arguments: [true, false])
        func dataPortsThatAreNotReached(areNamed: Bool) throws {
            let port = likelyFreePort(count: 8)
            let process = try lockstep.start([
                "coordinator", "--bind", "tcp://0.0.0.0:\(port)", "--advertise",
                areNamed ? "nowhere.invalid" : "127.0.0.1:\(port + 4)", "--insecure", "--run-dir",
                lockstep.folder.path("coordinator"),
            ])
            try #require(process.says("listening on"), "\(process.standardError)")
            try expect(
                "red", "data ports",
                areNamed
                    ? ["nowhere.invalid does not resolve", "--advertise"]
                    : ["127.0.0.1", ":\(port + 5)", "--data-ports"], exitCode: 69,
                ["--coordinator", "tcp://127.0.0.1:\(port)"])
        }

        /// It says a byte at a time, and is not waited for.
        @Test func aPortThatDrips() throws {
            let server = try LineServer(
                String(repeating: "x", count: 200), microsecondsBetween: 300_000)
            try expect(
                "red", "program", ["not Lockstep"], exitCode: 69,
                ["--coordinator", "tcp://127.0.0.1:\(server.port)"])
        }

        // MARK: Keys

        @Test func keyThatIsMissingForABindBeyondThisHost() throws {
            try expect(
                "red", "key", ["beyond this host", "lockstep keys create"], exitCode: 77,
                ["--bind", "tcp://*:\(likelyFreePort(count: 3))"])
        }

        @Test func keyThatIsAnother() throws {
            let (process, endpoint) = try coordinator(["--key", key])
            let other = try lockstep.makeKey("other.key")
            try expect(
                "red", "key", ["another key", "copy the coordinator's key"], exitCode: 77,
                ["--coordinator", endpoint, "--key", other])
            withExtendedLifetime(process) {}
        }

        @Test func keyThatIsMissingHere() throws {
            let (process, endpoint) = try coordinator(["--key", key])
            try expect(
                "red", "key", ["none here", "--key"], exitCode: 77, ["--coordinator", endpoint])
            withExtendedLifetime(process) {}
        }

        @Test func keyThatIsMissingThere() throws {
            let (process, endpoint) = try coordinator()
            try expect(
                "red", "key", ["the coordinator has no key"], exitCode: 77,
                ["--coordinator", endpoint, "--key", key])
            withExtendedLifetime(process) {}
        }

        @Test(arguments: ["readable", "short", "folder", "absent"])
        func keyFileThatIsNone(kind: String) throws {
            let path = lockstep.folder.path(kind)
            let manager = FileManager.default
            switch kind {
            case "readable":
                _ = manager.createFile(
                    atPath: path, contents: Data(count: 32),
                    attributes: [.posixPermissions: 0o644])
            case "short":
                _ = manager.createFile(
                    atPath: path, contents: Data(count: 7),
                    attributes: [.posixPermissions: 0o600])
            case "folder":
                try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
            default: break
            }
            try expect(
                "red", "key", [path], exitCode: 77, ["--key", path, "--bind", "127.0.0.1:0"])
        }

        // MARK: What the coordinator says of itself

        /// A coordinator that is made up, on this host.
        private func madeUp(
            _ change: (inout ClusterOverview) -> Void
        ) throws -> OverviewServer {
            var overview = ClusterOverview(
                stage: .gathering, runCount: 1, run: nil, members: [],
                dataset: DatasetDescription(
                    name: "mnist", sha256: String(repeating: "b", count: 64), byteCount: 1,
                    trainingExampleCount: 1), dataEndpoints: [])
            overview.host.release = "0.1.0"
            overview.host.arithmeticVersion = arithmeticVersion
            overview.host.clockMilliseconds = UInt64(Date().timeIntervalSince1970 * 1_000)
            change(&overview)
            return try OverviewServer(overview)
        }

        @Test func clockThatIsOffByAnHour() throws {
            let server = try madeUp { $0.host.clockMilliseconds -= 3_600_000 }
            try expect(
                "yellow", "same time", ["-3600", "chrony"], ["--coordinator", server.endpoint])
        }

        @Test func arithmeticThatDiffers() throws {
            let server = try madeUp { $0.host.arithmeticVersion += 1 }
            try expect(
                "red", "same release", ["arithmetic \(arithmeticVersion + 1)", "same release"],
                exitCode: 78, ["--coordinator", server.endpoint])
        }

        @Test func releaseThatDiffers() throws {
            let server = try madeUp { $0.host.release = "9.9.9" }
            try expect(
                "yellow", "same release", ["9.9.9"], ["--coordinator", server.endpoint])
        }

        @Test func protocolThatDiffers() throws {
            let server = try madeUp { _ in }
            server.setVersion(99)
            try expect(
                "red", "same release", ["version 99", "start the same release"], exitCode: 78,
                ["--coordinator", server.endpoint])
        }

        @Test func dataThatDiffers() throws {
            let server = try madeUp { _ in }
            try expect(
                "red", "same data", ["bbbbbbbbbbbb", "leave --data out"], exitCode: 78,
                [
                    "--coordinator", server.endpoint, "--data",
                    try #require(lockstep.environment["LOCKSTEP_DATA"]),
                ])
        }
    }
}
