import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct Completions {
        @Test(arguments: [
            ("bash", ".local/share/bash-completion/completions/lockstep"),
            ("zsh", ".local/share/zsh/site-functions/_lockstep"),
            ("fish", ".config/fish/completions/lockstep.fish"),
        ])
        func goWhereTheShellLooks(shell: String, path: String) throws {
            let lockstep = try Lockstep()
            let home = lockstep.folder.path
            let run = try lockstep.run(
                ["completions"],
                [
                    "HOME": home, "SHELL": "/usr/bin/\(shell)", "XDG_DATA_HOME": "",
                    "XDG_CONFIG_HOME": "",
                ])
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardOutput.hasPrefix("\(home)/\(path)\n"))
            #expect(run.standardOutput.contains("fpath+=") == (shell == "zsh"))
            let script = try String(contentsOfFile: "\(home)/\(path)", encoding: .utf8)
            #expect(script.contains("hidden-activation") && script.contains("plus-minus-one"))
        }

        /// What bash offers, asked of bash itself.
        @Test(arguments: [
            ("comp", "compare completions"),
            ("train --preset ", "mse-tanh mse-tanh-rescaled ce-softmax"),
            ("compare --output", ""),
        ])
        func areWhatBashOffers(line: String, words: String) throws {
            let lockstep = try Lockstep()
            let script = lockstep.folder.path("lockstep.bash")
            let made = try lockstep.run(["completions", "bash", "--output", script])
            #expect(made.standardOutput == "\(script)\n")
            let typed = "lockstep \(line)".components(separatedBy: " ")
            let list = typed.map { "'\($0)'" }.joined(separator: " ")
            let run = try ToolRun(
                URL(fileURLWithPath: "/bin/bash"),
                [
                    "-c",
                    """
                    source '\(script)'; COMP_WORDS=(\(list)); COMP_CWORD=\(typed.count - 1)
                    _lockstep lockstep '\(typed[typed.count - 1])' '\(typed[typed.count - 2])'
                    echo "${COMPREPLY[@]}"
                    """,
                ])
            #expect(run.standardOutput == words + "\n", "\(run.output)")
        }
    }
}
