import ArgumentParser
import Foundation
import LockstepRuntime

/// Hosts that this command reaches over ssh, and what it starts there.
struct HostOptions: ParsableArguments {
    @Option(help: ArgumentHelp("These hosts, the coordinator's first.", valueName: "list"))
    var hosts: String?

    @Option(
        help: ArgumentHelp(
            "The hosts in this file, one a line: [USER@]HOST[:PORT].", valueName: "file"))
    var hostfile: String?

    @Option(help: ArgumentHelp("The command that reaches a host.", valueName: "command"))
    var ssh = "ssh"

    @Option(
        help: ArgumentHelp(
            "Where the program is on the hosts; default the same place as here.", valueName: "path")
    )
    var remotePath: String?

    @Flag(
        help: """
            Copy the program to the hosts first, into ~/.cache/lockstep/bin; the libraries that it \
            needs have to be there.
            """)
    var copy = false

    /// Options and flags that are for whoever starts the processes, and not for them.
    static let names: (withValue: Set<String>, alone: Set<String>) = (
        ["--hosts", "--hostfile", "--ssh", "--remote-path"], ["--copy"]
    )

    func validate() throws {
        guard hosts == nil || hostfile == nil else {
            throw ValidationError(
                "--hosts and --hostfile name the same thing: leave one of the two out")
        }
        guard !copy || remotePath == nil else {
            throw ValidationError(
                "--remote-path says where the program is, and --copy puts it elsewhere: leave one of "
                    + "the two out")
        }
    }

    var isUsed: Bool { hosts != nil || hostfile != nil }

    /// The hosts, if any are named.
    func shell() throws(UsageError) -> RemoteShell? {
        let list: [RemoteHost]
        if let hosts {
            list = try parsed("--hosts \(hosts)", hosts, HostList.parse(_:))
        } else if let hostfile {
            let place = "--hostfile \(hostfile)"
            guard let text = try? String(contentsOfFile: hostfile, encoding: .utf8) else {
                throw UsageError(place, "it cannot be read", "name a file with a host a line")
            }
            list = try parsed(place, text, HostList.parse(file:))
        } else {
            return nil
        }
        let words = ssh.split(separator: " ").map(String.init)
        guard let program = words.first, Self.isExecutable(program) else {
            throw UsageError(
                "--ssh '\(ssh)'", "there is no such program here",
                "install openssh-client, or name the program that reaches a host")
        }
        return RemoteShell(
            hosts: list, ssh: words,
            program: copy ? .copied : .at(remotePath ?? executablePath))
    }

    private static func isExecutable(_ program: String) -> Bool {
        let manager = FileManager.default
        if program.contains("/") { return manager.isExecutableFile(atPath: program) }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains {
            manager.isExecutableFile(atPath: "\($0)/\(program)")
        }
    }

    private func parsed(
        _ place: String, _ text: String,
        _ parse: (String) throws(HostList.Problem) -> [RemoteHost]
    ) throws(UsageError) -> [RemoteHost] {
        do throws(HostList.Problem) {
            return try parse(text)
        } catch {
            let remedy = "write [USER@]HOST[:PORT], an address of version 6 with a port in brackets"
            switch error {
            case .malformed(let line, let text):
                throw UsageError("\(place), line \(line)", "“\(text)” is not a host", remedy)
            case .double(let line, let text):
                throw UsageError(
                    "\(place), line \(line)", "duplicate host “\(text)”",
                    "name each host once; its worker has a thread for each of its cores")
            case .empty: throw UsageError(place, "it names no host", remedy)
            }
        }
    }
}
