import Foundation
import RunRecords
import TestSupport
import Testing

/// Those who record, listen, hold connections open, or are other users of the host.
extension EndToEndTests.Keys {
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

    /// Whoever stands between a worker and the data ports hears nothing that can be said again,
    /// and whoever says other things is not heard.
    @Test func aRecordedConversationOpensNoDataPort() throws {
        let training = ["--epochs", "60", "--batch-size", "100"]
        let reference = try lockstep.train(["--workers", "0"] + training)
        let (coordinator, taps, address) = try tapped(["--key", key] + training)
        let worker = try lockstep.start(["worker", "--coordinator", address, "--key", key])
        try #require(coordinator.says("train loss"), "\(coordinator.standardError)")
        for (index, tap) in taps.enumerated() {
            let said = try #require(tap.conversations.first)
            #expect(said.count > 300, "port \(index)")
            let replay = try #require(Wiretap.connected(to: tap.target))
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
    @Test(arguments: [true, false])
    func nothingIsReadByWhoeverListens(hasKey: Bool) throws {
        let (coordinator, taps, address) = try tapped(
            (hasKey ? ["--key", key] : ["--insecure"]) + Self.training)
        let worker = try lockstep.start(
            ["worker", "--coordinator", address] + (hasKey ? ["--key", key] : ["--insecure"]))
        #expect(coordinator.end().status == 0)
        #expect(worker.end().status == 0)
        let seen = taps.map(\.everything)
        // The data set, pushes and weights have gone by.
        #expect(seen[1].count > 1_000_000 && seen[2].count > 1_000_000)
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
        let floats = weights[(weights.count / 2)..<(weights.count / 2 + 4_096)]
        #expect(seen.contains { $0.range(of: picture) != nil } != hasKey)
        #expect(seen.contains { $0.range(of: floats) != nil } != hasKey)
    }

    /// A coordinator with somebody who listens before each of its ports.
    private func tapped(
        _ options: [String]
    ) throws -> (RunningTool, taps: [Wiretap], address: String) {
        let inner = UInt16(likelyFreePort(count: 4))
        let outer = UInt16(likelyFreePort(count: 3))
        let taps = try (0..<3).map { try Wiretap(to: inner + $0, at: outer + $0) }
        let coordinator = try lockstep.start(
            [
                "coordinator", "--bind", "tcp://0.0.0.0:\(inner)", "--advertise",
                "127.0.0.1:\(outer)", "--min-workers", "1", "--servers", "1", "--json", "--run-dir",
                lockstep.folder.path("run"),
            ] + options)
        try #require(coordinator.says("listening on"), "\(coordinator.standardError)")
        return (coordinator, taps, "tcp://127.0.0.1:\(outer)")
    }
}
