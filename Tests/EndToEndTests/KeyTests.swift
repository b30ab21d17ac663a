import Convergence
import Foundation
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
            key = lockstep.folder.path("cluster.key")
            let made = try lockstep.run(["keys", "create", key])
            try #require(made.status == 0, "\(made.standardError)")
        }

        private func coordinator(_ more: [String]) throws -> RunningTool {
            try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "1", "--json",
                    "--run-dir", lockstep.folder.path("run"),
                ] + Self.training + more)
        }

        private func fingerprint(_ path: String) throws -> String {
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
            let other = lockstep.folder.path("other.key")
            _ = try lockstep.run(["keys", "create", other])
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
            let other = lockstep.folder.path("other.key")
            _ = try lockstep.run(["keys", "create", other])
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

        /// What a member has said, said again by somebody who has listened, lets nobody in.
        @Test func aRecordedConversationOpensNothing() throws {
            let coordinator = try coordinator([
                "--key", key, "--epochs", "100000", "--wait-timeout", "20",
            ])
            let port = try #require(
                coordinator.endpoint().split(separator: ":").last.flatMap { UInt16($0) })
            let tap = try Wiretap(to: port)
            let member = [
                "worker", "--coordinator", "tcp://127.0.0.1:\(tap.port)", "--key", key,
            ]
            let worker = try lockstep.start(member)
            try #require(coordinator.says("train loss"), "\(coordinator.standardError)")
            let said = try #require(tap.conversations.first)
            #expect(said.count > 1_000)
            let joined = coordinator.standardError.matches(of: /joined/).count
            for _ in 0..<5 {
                let replay = try #require(Wiretap.connected(to: port))
                defer { close(replay) }
                #expect(unsafe send(replay, said, said.count, Int32(MSG_NOSIGNAL)) > 0)
                var answer = [UInt8](repeating: 0, count: 1 << 16)
                // Until it hangs up, which it does.
                while unsafe recv(replay, &answer, answer.count, 0) > 0 {}
            }
            #expect(coordinator.says("turned away"))
            #expect(coordinator.standardError.matches(of: /joined/).count == joined)
            // The member is none the worse for it.
            #expect(worker.isRunning && coordinator.isRunning)
            coordinator.send(SIGINT)
            #expect(coordinator.end().status == 130)
            #expect(worker.end().status == 0)
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
            let next = lockstep.folder.path("next.key")
            _ = try lockstep.run(["keys", "create", next])
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
            #expect(run.status == 0 && run.standardError.contains("goes on after step"))
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(new.end().status == 0)
        }

        /// Whoever stands between a worker and the data ports hears nothing that can be said again,
        /// and whoever says other things is not heard.
        @Test func aRecordedConversationOpensNoDataPort() throws {
            let ports = UInt16(likelyFreePort(count: 4))
            let outer = UInt16(likelyFreePort(count: 3))
            let taps = try (0..<3).map { try Wiretap(to: ports + $0, at: outer + $0) }
            let training = ["--epochs", "60", "--batch-size", "100"]
            let reference = try lockstep.train(["--workers", "0"] + training)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://0.0.0.0:\(ports)", "--advertise",
                    "127.0.0.1:\(outer)", "--min-workers", "1", "--key", key, "--json",
                    "--run-dir", lockstep.folder.path("run"),
                ] + training)
            try #require(coordinator.says("listening on"), "\(coordinator.standardError)")
            let worker = try lockstep.start([
                "worker", "--coordinator", "tcp://127.0.0.1:\(outer)", "--key", key,
            ])
            try #require(coordinator.says("train loss"), "\(coordinator.standardError)")
            for (index, tap) in taps.enumerated() {
                let said = try #require(tap.conversations.first)
                #expect(said.count > 300, "port \(index)")
                let replay = try #require(Wiretap.connected(to: ports + UInt16(index)))
                defer { close(replay) }
                #expect(unsafe send(replay, said, said.count, Int32(MSG_NOSIGNAL)) > 0)
                var answer = [UInt8](repeating: 0, count: 1 << 16)
                while unsafe recv(replay, &answer, answer.count, 0) > 0 {}
            }
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(worker.end().status == 0)
        }

        /// Connections that say nothing keep nobody out, and are closed.
        @Test func connectionsThatSayNothingDisturbNobody() throws {
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let coordinator = try coordinator(["--key", key])
            let endpoint = try coordinator.endpoint()
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            let silent = (0..<300).compactMap { _ in Wiretap.connected(to: port) }
            defer { for peer in silent { close(peer) } }
            #expect(silent.count == 300)
            let worker = try lockstep.start(["worker", "--coordinator", endpoint, "--key", key])
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(worker.end().status == 0)
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

        // MARK: Another user

        /// The sockets of a cluster on one host are in a folder that other users cannot enter.
        @Test(.enabled(if: getuid() == 0, "being somebody else takes root"))
        func anotherUserOfThisHostIsKeptOut() throws {
            let train = try lockstep.start([
                "train", "--workers", "2", "--epochs", "100000", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let endpoint = try train.endpoint()
            #expect(endpoint.hasPrefix("ipc://"))
            let program = lockstep.folder.path("lockstep")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: program)
            let stranger = ["--reuid=65534", "--regid=65534", "--clear-groups", program]
            let setpriv = URL(fileURLWithPath: "/usr/bin/setpriv")
            for role in ["worker", "status"] {
                let run = try RunningTool(
                    setpriv,
                    stranger + [role, "--coordinator", endpoint, "--wait-timeout", "1"],
                    environment: ["HOME": "/"]
                ).end()
                #expect(run.status == 69, "\(run.standardError)")
                #expect(run.message.contains("no coordinator has answered"), "\(run.message)")
            }
            let own = try lockstep.run(["status", "--coordinator", endpoint])
            #expect(own.status == 0, "\(own.standardError)")
            train.send(SIGINT)
            let run = train.end()
            #expect(run.status == 130, "\(run.standardError)")
            #expect(!run.standardError.contains("worker 4"))
            let folder = endpoint.dropFirst("ipc://".count).split(separator: "/").dropLast()
            #expect(!FileManager.default.fileExists(atPath: "/" + folder.joined(separator: "/")))
        }

        /// On TCP, where other users come as far as the port, a user without a key gets one.
        @Test(.enabled(if: getuid() == 0, "being somebody else takes root"))
        func anotherUserIsKeptOutOfLoopback() throws {
            let coordinator = try coordinator([])
            let endpoint = try coordinator.endpoint()
            let own = lockstep.folder.path("config/lockstep/cluster.key")
            #expect(
                coordinator.standardError.contains("made a key that keeps other users out: \(own)"))
            let program = lockstep.folder.path("lockstep")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: program)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: lockstep.folder.path)
            for (role, more) in [
                ("worker", ["--insecure"]), ("worker", ["--key", own]), ("status", []),
            ] {
                let run = try RunningTool(
                    URL(fileURLWithPath: "/usr/bin/setpriv"),
                    ["--reuid=65534", "--regid=65534", "--clear-groups", program, role]
                        + ["--coordinator", endpoint, "--wait-timeout", "5"] + more,
                    environment: ["HOME": "/"]
                ).end()
                #expect(run.status == 77, "\(role) \(more): \(run.standardError)")
            }
            // This user's worker finds the key.
            let worker = try lockstep.start(["worker", "--coordinator", endpoint])
            #expect(coordinator.end().status == 0)
            #expect(worker.end().status == 0)
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

        // MARK: Secrets

        @Test func theKeyIsNeitherInArgumentsNorInTheEnvironmentNorInMessages() throws {
            let coordinator = try coordinator(["--key", key, "--log-level", "trace"])
            let endpoint = try coordinator.endpoint()
            let worker = try lockstep.start([
                "worker", "--coordinator", endpoint, "--key", key, "--log-level", "trace",
            ])
            let secret = try Data(contentsOf: URL(fileURLWithPath: key))
            var seen = Data()
            for process in [coordinator, worker] {
                for file in ["cmdline", "environ"] {
                    seen +=
                        FileManager.default.contents(
                            atPath: "/proc/\(process.processID)/\(file)") ?? Data()
                }
                let noCore = try eventually {
                    let limits = try String(
                        contentsOfFile: "/proc/\(process.processID)/limits", encoding: .utf8)
                    return limits.contains(#/core file size +0 +0 /#)
                }
                #expect(noCore)
            }
            for run in [coordinator.end(), worker.end()] {
                #expect(run.status == 0, "\(run.standardError)")
                seen += Data((run.standardError + run.standardOutput).utf8)
            }
            let hex = secret.map { String(format: "%02x", $0) }.joined()
            let forms = [secret, Data(hex.utf8), secret.base64EncodedData()]
            for form in forms { #expect(seen.range(of: form) == nil) }
        }

        /// Images and weights are seen by whoever listens to a run without a key, and by nobody of
        /// one with a key.
        @Test(.enabled(if: getuid() == 0, "listening takes root"), arguments: [true, false])
        func nothingIsReadByWhoeverListens(hasKey: Bool) throws {
            let capture = try #require(Capture())
            let options = hasKey ? ["--key", key] : ["--insecure"]
            let coordinator = try coordinator(options)
            let worker = try lockstep.start(
                ["worker", "--coordinator", try coordinator.endpoint()] + options)
            #expect(coordinator.end().status == 0)
            #expect(worker.end().status == 0)
            let seen = capture.end()
            let folder = try #require(lockstep.environment["LOCKSTEP_DATA"])
            let images = try Data(
                contentsOf: URL(fileURLWithPath: "\(folder)/train-images-idx3-ubyte"))
            let picture = images[(16 + 300)..<(16 + 500)]
            try #require(picture.contains { $0 > 0 })
            let run = URL(fileURLWithPath: lockstep.folder.path("run/checkpoints"))
            let steps = try FileManager.default.contentsOfDirectory(atPath: run.path)
            let step = try #require(steps.last)
            let weights = try Data(
                contentsOf: run.appendingPathComponent("\(step)/model.safetensors"))
            #expect((seen.range(of: picture) == nil) == hasKey)
            #expect((seen.range(of: picture) == nil) == hasKey)
            // Some may be cut by the end of a packet.
            let areWeightsSeen = (4..<20).contains { part in
                let start = weights.count / 24 * part
                return seen.range(of: weights[start..<start + 64]) != nil
            }
            #expect(areWeightsSeen != hasKey)
        }
    }
}
