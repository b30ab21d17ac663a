import Foundation
import LockstepRuntime
import RunRecords
import TestSupport
import Testing

/// One command that starts a process on every host.
extension EndToEndTests.Launches {
    /// Stands for ssh, its options aside: a shell on this host. As ssh it closes first what it
    /// did not open. `broken` is never reached.
    private func stubSSH() throws -> String {
        let path = lockstep.folder.path("ssh")
        try lockstep.folder.write(
            """
            #!/bin/bash
            for file in /proc/self/fd/*; do
                number=${file##*/}
                # 255 is the script.
                case $number in [0-2] | 255) ;; *) eval "exec $number>&-" ;; esac
            done
            while [ "${1#-}" != "$1" ]; do
                case $1 in -T) shift ;; *) shift 2 ;; esac
            done
            case $1 in
            broken) echo "ssh: connect to host broken port 22: No route to host" >&2; exit 255 ;;
            silent) exec sleep 60 ;;
            unfit) export LOCKSTEP_KERNELS=none ;;
            esac
            shift
            exec /bin/sh -c "$*"
            """, "ssh")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private func launch(_ hosts: String, _ more: [String] = []) throws -> RunningTool {
        try lockstep.start(
            [
                "launch", "--hosts", hosts, "--ssh", try stubSSH(), "--advertise", "127.0.0.1",
                "--port", port, "--json", "--run-dir", lockstep.folder.path("run"),
                "--threads", "1",
            ] + more)
    }

    @Test func oneCommandStartsAllAndEndsThem() throws {
        let run = try launch("a,b,user@c:2222", Self.training).end()
        #expect(run.status == 0, "\(run.standardError)")
        let end = try run.end()
        #expect(end.weightsSHA256 == reference.weightsSHA256 && end.workers == 3)
        #expect(run.standardError.contains("rank 1 of 3, launched over ssh"))
        for host in ["a", "b", "c"] {
            #expect(
                run.standardError.contains("\n\(host): ")
                    || run.standardError.hasPrefix("\(host): "))
        }
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGKILL])
    func nobodyOutlivesTheCommand(signal: Int32) throws {
        let process = try launch("a,b", ["--epochs", "100000", "--batch-size", "100"])
        try #require(process.says("train loss"), "\(process.standardError)")
        let members = try #require(
            try? ToolRun(
                URL(fileURLWithPath: "/usr/bin/pgrep"),
                ["-f", "\(lockstep.folder.path)|127.0.0.1:\(port)"]
            ).standardOutput.split(separator: "\n").compactMap { Int32($0) })
        let others = members.filter { $0 != process.processID }
        #expect(!others.isEmpty)
        process.send(signal)
        let run = process.end()
        #expect(run.status == [SIGINT: 130, SIGTERM: 143, SIGKILL: -1][signal])
        let areGone = eventually { !others.contains(where: isAlive) }
        #expect(areGone)
        let log = try logLines(lockstep.folder.path("run"))
        #expect(log.last?.contains("interrupted") == true, "\(log.last ?? "")")
    }

    @Test func aHostThatIsNotReachedIsNamed() throws {
        let run = try launch("a,broken", Self.training).end()
        #expect(run.status == 69, "\(run.standardError)")
        for words in ["cannot reach broken", "--min-workers"] {
            #expect(run.message.contains(words), "\(run.message)")
        }
        #expect(run.standardError.contains("No route to host"))
        let first = try launch("broken,a", Self.training).end()
        #expect(first.status == 69, "\(first.standardError)")
    }

    @Test func othersGoOnWhereTheyMay() throws {
        let run = try launch("a,broken,b", Self.training + ["--min-workers", "2"]).end()
        #expect(run.status == 0, "\(run.standardError)")
        #expect(run.standardError.contains("cannot reach broken"))
        let end = try run.end()
        #expect(end.weightsSHA256 == reference.weightsSHA256 && end.workers == 2)
    }

    /// One that could never work is not waited for, though the others would.
    @Test func aHostThatCannotWorkEndsTheLaunch() throws {
        let run = try launch("a,unfit", ["--epochs", "100000", "--batch-size", "100"]).end()
        #expect(run.status == 64, "\(run.standardError)")
        #expect(run.message.contains("unfit has ended with code 64"), "\(run.message)")
    }

    @Test func aHostThatSaysNothingIsNotWaitedForLongerThanAsked() throws {
        let began = Date()
        let run = try launch("a,silent", Self.training + ["--wait-timeout", "2"]).end()
        #expect(run.status == 69, "\(run.standardError)")
        #expect(run.message.contains("silent has not started within 2 s"), "\(run.message)")
        #expect(Date().timeIntervalSince(began) < 20)
    }

    /// What starts a host waits for its first word, whatever people want to see.
    @Test func theLogLevelHidesNoStart() throws {
        // It continues for longer than a start may take.
        let process = try launch(
            "a,b",
            [
                "--epochs", "100000", "--batch-size", "100", "--log-level", "warning",
                "--wait-timeout", "4",
            ])
        sleep(6)
        #expect(process.isRunning, "\(process.standardError)")
        process.send(SIGTERM)
        let run = process.end()
        #expect(run.status == 143, "\(run.standardError)")
    }

    /// The others reach rank 0 by another port, as through a router that translates it.
    @Test func ranksReachTheFirstByTheAddressThatIsAdvertised() throws {
        let inner = try #require(UInt16(port))
        let outer = UInt16(likelyFreePort(count: 3))
        // Three ports of the outside lead to the three of the inside.
        let router = try (0..<3).map { try Wiretap(to: inner + $0, at: outer + $0) }
        let run = try lockstep.start(
            [
                "launch", "--hosts", "a,b", "--ssh", try stubSSH(), "--advertise",
                "127.0.0.1:\(outer)", "--port", port, "--json", "--run-dir",
                lockstep.folder.path("run"), "--threads", "1",
            ] + Self.training
        ).end()
        #expect(run.status == 0, "\(run.standardError)")
        let end = try run.end()
        #expect(end.weightsSHA256 == reference.weightsSHA256 && end.workers == 2)
        for port in router { #expect(!port.conversations.isEmpty) }
    }

    private static let sshd = ["/usr/sbin/sshd", "/usr/bin/sshd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// sshd lets nobody into an account that is locked.
    private static let mayLogIn: Bool = {
        let accounts = (try? String(contentsOfFile: "/etc/shadow", encoding: .utf8)) ?? ""
        let root = accounts.split(separator: "\n").first { $0.hasPrefix("root:") }
        return root.map { !$0.hasPrefix("root:!") } ?? false
    }()

    /// Over a real ssh, with a home that is written `~`.
    @Test(.enabled(if: sshd != nil && mayLogIn, "needs a sshd, and root who may log in"))
    func oneCommandStartsAllOverSSH() throws {
        let folder = lockstep.folder
        for name in ["host", "user"] {
            let made = try ToolRun(
                URL(fileURLWithPath: "/usr/bin/ssh-keygen"),
                ["-q", "-t", "ed25519", "-N", "", "-f", folder.path(name)])
            try #require(made.status == 0, "\(made.output)")
        }
        let sshPort = likelyFreePort()
        try folder.write(
            """
            Port \(sshPort)
            ListenAddress 127.0.0.1
            ListenAddress ::1
            HostKey \(folder.path("host"))
            AuthorizedKeysFile \(folder.path("user.pub"))
            PidFile \(folder.path("sshd.pid"))
            StrictModes no
            UsePAM no
            AcceptEnv XDG_CACHE_HOME
            """, "sshd.conf")
        try FileManager.default.createDirectory(
            atPath: "/run/sshd", withIntermediateDirectories: true)
        // It goes to the background by itself.
        let server = try ToolRun(
            URL(fileURLWithPath: #require(Self.sshd)),
            ["-E", folder.path("sshd.log"), "-f", folder.path("sshd.conf")])
        try #require(server.status == 0, "\(server.output)")
        var processID: Int32?
        let isThere = eventually {
            let text = try? String(contentsOfFile: folder.path("sshd.pid"), encoding: .utf8)
            processID = text.flatMap { Int32($0.filter(\.isNumber)) }
            return processID != nil
        }
        try #require(isThere)
        defer { if let processID { kill(processID, SIGTERM) } }
        let ssh = [
            "ssh -i \(folder.path("user")) -p \(sshPort) -F none",
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            "-o SetEnv=XDG_CACHE_HOME=\(folder.path("cache"))",
        ].joined(separator: " ")
        let home = try #require(ProcessInfo.processInfo.environment["HOME"])
        let program = ".lockstep-test-\(UUID().uuidString)"
        try FileManager.default.createSymbolicLink(
            atPath: "\(home)/\(program)", withDestinationPath: Lockstep.program.path)
        defer { try? FileManager.default.removeItem(atPath: "\(home)/\(program)") }
        let run = try lockstep.start(
            [
                "launch", "--hosts", "127.0.0.1,root@localhost", "--ssh", ssh, "--remote-path",
                "~/\(program)", "--port", port, "--json", "--run-dir", folder.path("run"),
                "--threads", "1",
            ] + Self.training
        ).end()
        #expect(run.status == 0, "\(run.standardError)")
        let end = try run.end()
        #expect(end.weightsSHA256 == reference.weightsSHA256 && end.workers == 2)
        let doctor = try lockstep.run([
            "doctor", "--hosts", "127.0.0.1,localhost", "--ssh", ssh, "--remote-path",
            Lockstep.program.path, "--port", port,
        ])
        #expect(doctor.status == 0, "\(doctor.output)")
        for words in ["\nlocalhost\n", "data ports", "the first 2 hosts", "fastest"] {
            #expect(doctor.standardOutput.contains(words), "\(doctor.output)")
        }
    }

    @Test func aProgramThatIsNotThereIsNamedOrCopied() throws {
        let missing = try launch("a,b", Self.training + ["--remote-path", "/no/lockstep"]).end()
        #expect(missing.status == 69, "\(missing.standardError)")
        #expect(missing.message.contains("--copy"), "\(missing.message)")
        let home = ["HOME": lockstep.folder.path("home")]
        try FileManager.default.createDirectory(
            atPath: lockstep.folder.path("home"), withIntermediateDirectories: true)
        let copied = try lockstep.start(
            [
                "launch", "--hosts", "a,b", "--ssh", try stubSSH(), "--advertise", "127.0.0.1",
                "--port", port, "--json", "--run-dir", lockstep.folder.path("copied"),
                "--threads", "1", "--copy",
            ] + Self.training, home
        ).end()
        #expect(copied.status == 0, "\(copied.standardError)")
        #expect(try copied.end().weightsSHA256 == reference.weightsSHA256)
        let there = try FileManager.default.contentsOfDirectory(
            atPath: lockstep.folder.path("home/.cache/lockstep/bin"))
        #expect(there.count == 1)
    }
}
