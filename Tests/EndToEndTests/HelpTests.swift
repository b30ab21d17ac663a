import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct Help {
        /// The settings whose default follows from others, or is none.
        private static let explained: Set = [
            "hidden_activation", "output_activation", "loss", "targets", "decode", "micro_batch",
            "target_accuracy", "evaluate_every", "workers",
        ]

        /// What `--print-config` says that is trained where nobody sets anything.
        @Test func showsTheDefaultsThatApply() throws {
            let lockstep = try Lockstep()
            let shown = try lockstep.run(["train", "--print-config"])
            let help = try lockstep.run(["train", "--help"]).standardOutput
                .split(whereSeparator: \.isWhitespace).joined(separator: " ")
            var compared = 0
            for line in shown.standardOutput.split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                try #require(words.count == 3, "\(line)")
                guard !Self.explained.contains(words[0]) else { continue }
                let value = words[1].hasSuffix(".0") ? String(words[1].dropLast(2)) : words[1]
                let flag = "--\(words[0].replacing("_", with: "-")) <"
                let start = try #require(help.range(of: flag), "\(flag)")
                let end = help[start.upperBound...].range(of: " --")?.lowerBound ?? help.endIndex
                #expect(help[start.lowerBound..<end].contains("default: \(value))"), "\(line)")
                compared += 1
            }
            #expect(compared == 15)
        }
    }
}
