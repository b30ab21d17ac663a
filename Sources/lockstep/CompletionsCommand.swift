import ArgumentParser
import Foundation
import RunRecords

/// `lockstep completions`
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Install completions of commands, options and values for a shell.",
        discussion: """
            Writes one file, where bash (with its package bash-completion) and fish look for it by \
            themselves; zsh is told by a line in ~/.zshrc, which is printed. Completions work in \
            the next shell that is started. Run it again after an update.

            Examples:
              lockstep completions
              lockstep completions zsh
              lockstep completions bash --output lockstep.bash
            """)

    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash, zsh, fish
    }

    @Argument(help: ArgumentHelp("bash, zsh or fish; default that of $SHELL.", valueName: "shell"))
    var shell: Shell?

    @Option(
        help: ArgumentHelp("Another file to write.", valueName: "file"), completion: .file())
    var output: String?

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let login = environment["SHELL"] ?? ""
        guard let shell = shell ?? Shell(rawValue: URL(filePath: login).lastPathComponent) else {
            throw UsageError(
                "SHELL=\(login)", "there are no completions for this shell",
                "name one: lockstep completions bash, zsh or fish")
        }
        let path = output ?? Self.path(shell, environment)
        let folder = URL(filePath: path).deletingLastPathComponent().path
        try Files.makeFolders(folder)
        let script = LockstepCommand.completionScript(for: shell.kind)
        try Files.replace(path, with: Array(script.utf8))
        print(path)
        if shell == .zsh, output == nil {
            print("Add to ~/.zshrc, unless it is there already:")
            print("fpath+=(\(folder)); autoload -Uz compinit; compinit")
        }
    }

    /// Where the shell looks for a user's own completions.
    private static func path(_ shell: Shell, _ environment: [String: String]) -> String {
        func folder(_ variable: String, or fallback: String) -> String {
            environment[variable].flatMap { $0.isEmpty ? nil : $0 }
                ?? "\(environment["HOME"] ?? NSHomeDirectory())/\(fallback)"
        }
        let data = folder("XDG_DATA_HOME", or: ".local/share")
        return switch shell {
        case .bash: "\(data)/bash-completion/completions/lockstep"
        case .zsh: "\(data)/zsh/site-functions/_lockstep"
        case .fish: "\(folder("XDG_CONFIG_HOME", or: ".config"))/fish/completions/lockstep.fish"
        }
    }
}

extension CompletionsCommand.Shell {
    fileprivate var kind: CompletionShell {
        switch self {
        case .bash: .bash
        case .zsh: .zsh
        case .fish: .fish
        }
    }
}
