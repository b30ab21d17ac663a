import Foundation
import Hashing
import LockstepProtocol
import LockstepRuntime
import Synchronization

/// Hosts, the command that reaches them, and the program there.
struct RemoteShell {
    enum Program {
        case at(String)
        /// This one, to be copied there.
        case copied
    }

    let hosts: [RemoteHost]
    /// The words of the command.
    let ssh: [String]
    let program: Program

    /// What ssh ends with where there is no connection.
    static let noConnection: Int32 = 255
    private static let copyFolder = "$HOME/.cache/lockstep/bin"
    private static let connectSeconds = 10

    /// A name for each host that no other has.
    var labels: [String] {
        hosts.map { host in
            let isAlone = hosts.count { $0.name == host.name } == 1
            return isAlone ? host.name : host.sshArguments.joined(separator: " ")
        }
    }

    /// The command that runs the program on a host, in the folder that this one is in, if it is
    /// there.
    ///
    /// - Parameter path: of the program there, for a shell; see
    ///   ``programPath(withinMilliseconds:_:isRequired:)``.
    func command(
        _ index: Int, _ path: String, _ arguments: [String], environment: [String: String] = [:]
    ) -> [String] {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let words = (["env"] + variables).map(Self.quoted) + [path] + arguments.map(Self.quoted)
        let folder = FileManager.default.currentDirectoryPath
        return reach(
            hosts[index],
            "cd \(Self.quoted(folder)) 2>/dev/null; exec " + words.joined(separator: " "))
    }

    private func reach(_ host: RemoteHost, _ command: String) -> [String] {
        var words = ssh
        if words.first?.split(separator: "/").last == "ssh" {
            // Without a terminal there, and without questions here: several hosts would ask at
            // once.
            words += ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=\(Self.connectSeconds)"]
            // A host that is gone is noticed.
            words += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        }
        return words + host.sshArguments + [command]
    }

    /// The arguments that are for the processes, and not for whoever starts them.
    ///
    /// - Parameters:
    ///   - options: left out, each with its value.
    ///   - flags: left out.
    static func forwarded(
        _ arguments: [String], without options: [String], _ flags: [String] = []
    ) -> [String] {
        let withValue = HostOptions.names.withValue.union(["--key"] + options)
        let alone = HostOptions.names.alone.union(["--insecure"] + flags)
        var result: [String] = []
        var isValue = false
        for argument in arguments {
            if isValue {
                isValue = false
            } else if withValue.contains(argument) {
                isValue = true
            } else if !alone.contains(argument),
                !withValue.contains(String(argument.prefix { $0 != "=" }))
            {
                result.append(argument)
            }
        }
        return result
    }

    /// For a shell.
    static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: ","),
                UInt8(ascii: ":"):
                true
            default: false
            }
        }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }

    // MARK: The program

    /// Where the program is on the hosts, for a shell; copies it there first where that is asked
    /// for, to all at once.
    ///
    /// - Parameters:
    ///   - milliseconds: how long a copy may take.
    ///   - isRequired: whether the host of this index cannot be left without.
    /// - Throws: ``CommandEnd`` with `unavailable`, or with the reason of the interruption.
    func programPath(
        withinMilliseconds milliseconds: Int, _ interruption: Interruption,
        isRequired: (Int) -> Bool = { _ in true }
    ) throws -> String {
        switch program {
        case .at(let path):
            // A shell knows a person's home by itself only where nothing is quoted.
            return path.hasPrefix("~/")
                ? "\"$HOME\"/" + Self.quoted(String(path.dropFirst(2))) : Self.quoted(path)
        case .copied:
            let path = try copyPath()
            let failed = try copy(to: path, milliseconds, interruption)
            for index in hosts.indices where failed.contains(index) {
                let text = "the program cannot be copied to \(labels[index])"
                guard !isRequired(index) else {
                    throw CommandEnd(
                        reason: StopReason(.unavailable, "\(text): see the message above"))
                }
                Console.shared.say("\(text); the others continue")
            }
            return path
        }
    }

    /// A name that tells the program's contents.
    private func copyPath() throws -> String {
        let program = try Data(contentsOf: URL(fileURLWithPath: ownProgram))
        return "\"\(Self.copyFolder)/lockstep-\("\(SHA256.hash(program))".prefix(16))\""
    }

    /// - Returns: the hosts that do not have it.
    private func copy(
        to path: String, _ milliseconds: Int, _ interruption: Interruption
    ) throws -> Set<Int> {
        let script = """
            to=\(path); test -x "$to" && exit; umask 077; mkdir -p "\(Self.copyFolder)" && \
            cat >"$to.$$" && chmod 700 "$to.$$" && mv "$to.$$" "$to"
            """
        let done = Mutex<Set<Int>>([])
        let processes = try hosts.indices.map { index in
            try SpawnedProcess(
                reach(hosts[index], script),
                input: FileHandle(forReadingFrom: URL(fileURLWithPath: ownProgram)),
                output: .standardError, error: .standardError
            ) { _, end in if end == .exited(0) { done.withLock { _ = $0.insert(index) } } }
        }
        defer { for process in processes { process.terminate() } }
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        for process in processes {
            while !process.waits(milliseconds: 20), ContinuousClock.now < end {
                if let reason = interruption.reason { throw CommandEnd(reason: reason) }
            }
        }
        return Set(hosts.indices).subtracting(done.withLock { $0 })
    }
}
