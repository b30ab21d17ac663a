import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Whoever has the cluster's key is a member; nobody else joins, reads or disturbs.
    @Suite struct Keys {
        static let training = ["--epochs", "1", "--batch-size", "100"]

        let lockstep: Lockstep
        let key: String

        init() throws {
            lockstep = try Lockstep(usesKeys: true)
            key = try lockstep.makeKey()
        }

        func coordinator(_ more: [String]) throws -> RunningTool {
            try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "1", "--json",
                    "--run-dir", lockstep.folder.path("run"),
                ] + Self.training + more)
        }

        func fingerprint(_ path: String) throws -> String {
            let shown = try lockstep.run(["keys", "show", path])
            try #require(shown.status == 0, "\(shown.standardError)")
            return try String(#require(shown.standardOutput.split(separator: " ").last))
                .trimmingCharacters(in: .newlines)
        }

        // MARK: The file

        @Test func aKeyIsMadeOnceAndShowsItsFingerprintOnly() throws {
            let attributes = try FileManager.default.attributesOfItem(atPath: key)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: key))
            #expect(bytes.count == 32)
            let again = try lockstep.run(["keys", "create", key])
            #expect(again.status == 73 && again.message.contains("there is one already"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: key)) == bytes)
            let print = try fingerprint(key)
            #expect(print.wholeMatch(of: /([0-9a-f]{4}-){3}[0-9a-f]{4}/) != nil, "\(print)")
            let digits = print.filter { $0 != "-" }
            #expect(!bytes.map { String(format: "%02x", $0) }.joined().contains(digits))
            let other = try lockstep.makeKey("other.key")
            #expect(try fingerprint(other) != print)
        }

        @Test(arguments: [
            ("open", "chmod 600"), ("short", "31 bytes"), ("long", "33 bytes"),
            ("folder", "not a file"), ("missing", "lockstep keys create"),
        ])
        func aFileThatIsNotAKeyIsNamed(kind: String, words: String) throws {
            let path = lockstep.folder.path(kind)
            let manager = FileManager.default
            switch kind {
            case "folder":
                try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
            case "missing": break
            default:
                let count = ["short": 31, "long": 33][kind] ?? 32
                let mode = kind == "open" ? 0o644 : 0o600
                _ = manager.createFile(
                    atPath: path, contents: Data(count: count),
                    attributes: [.posixPermissions: mode])
            }
            for command in [["worker"], ["coordinator"], ["status"]] {
                let run = try lockstep.run(command + ["--key", path])
                #expect(run.status == 77, "\(run.standardError)")
                #expect(
                    run.message.contains(words) && run.message.contains(path), "\(run.message)")
            }
        }

        @Test func beyondThisHostAKeyIsNeeded() throws {
            for arguments in [
                ["coordinator", "--bind", "tcp://*:29555", "--advertise", "10.0.0.5"],
                ["worker", "--coordinator", "tcp://10.255.255.1:29555"],
                ["server", "--coordinator", "tcp://10.255.255.1:29555"],
                ["status", "--coordinator", "tcp://10.255.255.1:29555"],
            ] {
                let run = try lockstep.run(arguments)
                #expect(run.status == 64, "\(run.standardError)")
                #expect(run.message.contains("lockstep keys create"), "\(run.message)")
            }
            let both = try lockstep.run(["worker", "--key", key, "--insecure"])
            #expect(both.status == 64 && both.message.contains("leave one of the two out"))
        }

        // MARK: Members

        /// The key comes from a flag, the environment, the place where it is looked for, or a pipe.
        @Test func membersWithTheKeyTrain() throws {
            let home = lockstep.folder.path("config/lockstep")
            try FileManager.default.createDirectory(
                atPath: home, withIntermediateDirectories: true)
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let coordinator = try coordinator(["--key", key, "--workers", "3"])
            let endpoint = try coordinator.endpoint()
            let address = ["worker", "--coordinator", endpoint]
            let shell = "exec \(Lockstep.program.path) \(address.joined(separator: " ")) --key -"
            try FileManager.default.copyItem(atPath: key, toPath: home + "/cluster.key")
            let workers = [
                try lockstep.start(address, ["LOCKSTEP_KEY_FILE": key]),
                try lockstep.start(address),
                try RunningTool(
                    URL(fileURLWithPath: "/bin/sh"), ["-c", "\(shell) < \(key)"],
                    environment: lockstep.environment),
            ]
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(run.standardError.contains(try fingerprint(key)))
            for worker in workers { #expect(worker.end().status == 0) }
        }

        @Test func whoHasAnotherKeyOrNoneIsTurnedAwayOnBothSides() throws {
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let other = try lockstep.makeKey("other.key")
            let coordinator = try coordinator(["--key", key])
            let endpoint = try coordinator.endpoint()
            for (role, more, words) in [
                ("worker", ["--key", other], try fingerprint(other)),
                ("worker", ["--insecure"], "--key"),
                ("server", ["--key", other], try fingerprint(other)),
                ("status", ["--insecure"], "--key"),
            ] {
                let began = Date()
                let run = try lockstep.run([role, "--coordinator", endpoint] + more)
                #expect(run.status == 77, "\(role) \(more): \(run.standardError)")
                for word in [words, endpoint] {
                    #expect(run.message.contains(word), "\(run.message)")
                }
                #expect(Date().timeIntervalSince(began) < 5)
            }
            let isTold = coordinator.says("without the key \(try fingerprint(key))")
            #expect(isTold && !coordinator.standardError.contains("worker"))
            let worker = try lockstep.start(["worker", "--coordinator", endpoint, "--key", key])
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(worker.end().status == 0)
        }

        @Test func aCoordinatorWithoutAKeyIsNamed() throws {
            let coordinator = try coordinator(["--insecure"])
            let run = try lockstep.run([
                "worker", "--coordinator", try coordinator.endpoint(), "--key", key,
            ])
            #expect(run.status == 77, "\(run.standardError)")
            #expect(run.message.contains("has no key"), "\(run.message)")
            coordinator.send(SIGINT)
            #expect(coordinator.end().status == 130)
        }

        /// A forwarder that is there before its coordinator is no sign of another key.
        @Test func aForwarderThatWaitsForItsCoordinatorIsNoOtherKey() throws {
            let port = UInt16(likelyFreePort())
            let forwarder = try Wiretap(to: port)
            let worker = try lockstep.start([
                "worker", "--coordinator", "tcp://127.0.0.1:\(forwarder.port)", "--key", key,
            ])
            sleep(3)
            #expect(worker.isRunning, "\(worker.standardError)")
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:\(port)", "--min-workers", "1",
                    "--key", key, "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            #expect(coordinator.end().status == 0)
            #expect(worker.end().status == 0)
        }

        /// A new key for a run that is under way: started again with it, and the old one opens
        /// nothing.
        @Test func aKeyThatWasReplacedOpensNothing() throws {
            let training = ["--epochs", "400", "--batch-size", "100"]
            let reference = try lockstep.train(["--workers", "0"] + training)
            let next = try lockstep.makeKey("next.key")
            func start(_ key: String) throws -> RunningTool {
                try lockstep.start(
                    [
                        "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "1",
                        "--json", "--run-dir", lockstep.folder.path("run"), "--key", key,
                    ] + training)
            }
            let first = try start(key)
            let worker = try lockstep.start([
                "worker", "--coordinator", try first.endpoint(), "--key", key,
            ])
            try #require(first.says("epoch  20/400"), "\(first.standardError)")
            first.send(SIGTERM)
            #expect(first.end().status == 143)
            _ = worker.end()
            let second = try start(next)
            let endpoint = try second.endpoint()
            let old = try lockstep.run(["worker", "--coordinator", endpoint, "--key", key])
            #expect(old.status == 77, "\(old.standardError)")
            #expect(second.says("turned away"))
            let new = try lockstep.start(["worker", "--coordinator", endpoint, "--key", next])
            let run = second.end()
            #expect(run.status == 0 && run.standardError.contains("resumes after step"))
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(new.end().status == 0)
        }

        @Test func whatIsNoKeyOnStandardInputIsRefused() throws {
            let shell = "exec \(Lockstep.program.path) worker --key - < /etc/passwd"
            let run = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"), ["-c", shell], environment: lockstep.environment
            ).end()
            #expect(run.status == 77, "\(run.standardError)")
            #expect(run.message.contains("standard input is not a key"), "\(run.message)")
        }

        /// Nothing is waited for that may never come.
        @Test func aPipeIsNoKeyFile() throws {
            let path = lockstep.folder.path("pipe")
            try #require(unsafe mkfifo(path, 0o600) == 0)
            let run = try lockstep.run(["keys", "show", path])
            #expect(run.status == 77 && run.message.contains("not a file"), "\(run.output)")
        }

        /// Where no key can be kept, none is done without silently.
        @Test func whereNoKeyCanBeKeptItIsSaid() throws {
            let run = try lockstep.run(
                ["coordinator", "--bind", "tcp://127.0.0.1:0"],
                ["XDG_CONFIG_HOME": "/proc/nowhere"])
            #expect(run.status == 73, "\(run.standardError)")
            for words in ["/proc/nowhere", "--key", "--insecure"] {
                #expect(run.message.contains(words), "\(run.message)")
            }
        }
    }
}
