import ArgumentParser
import Foundation
import LockstepRuntime

/// `lockstep keys`
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and compare the key of a cluster.",
        discussion: """
            One file of 32 random bytes, mode 0600. Whoever has it is a member; nobody else joins, reads or \
            disturbs a run. It belongs on every host, in ~/.config/lockstep/cluster.key or where --key or \
            LOCKSTEP_KEY_FILE names it.

            To change the key of a cluster, make a new one beside it, copy it to every host, and start the \
            coordinator and its members with it: the run goes on from its newest checkpoint, and the old key opens \
            nothing any more.

            Examples:
              lockstep keys create
              ssh other-host mkdir -p -m 700 .config/lockstep
              scp -p ~/.config/lockstep/cluster.key other-host:.config/lockstep/
              lockstep keys show
            """,
        subcommands: [Create.self, Show.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new key; one that is there stays as it is.")

        @Argument(
            help: ArgumentHelp("Default ~/.config/lockstep/cluster.key.", valueName: "file"))
        var file: String?

        func run() throws {
            let path = KeysCommand.path(file)
            let key = try ClusterKey.create(at: path)
            print("\(path): \(key)")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a key's fingerprint, to compare it with another's.")

        @Argument(
            help: ArgumentHelp(
                "Default $LOCKSTEP_KEY_FILE, then ~/.config/lockstep/cluster.key.",
                valueName: "file"))
        var file: String?

        func run() throws {
            let named = ProcessInfo.processInfo.environment[KeyOptions.variable]
            let path = KeysCommand.path(file ?? named.flatMap { $0.isEmpty ? nil : $0 })
            print("\(path): \(try ClusterKey(reading: path))")
        }
    }

    private static func path(_ file: String?) -> String {
        file ?? ClusterKey.defaultPath(environment: ProcessInfo.processInfo.environment)
    }
}
