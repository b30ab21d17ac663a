import Foundation
import NeuralNetwork

/// What each kernel costs: a line a kernel, by name.
struct InstructionTable: Equatable {
    struct Line: Equatable {
        var input: CountedRun.Input
        var instructions: [KernelVariant: Double]
    }

    /// Those that valgrind can run.
    static let variants: [KernelVariant] = [.baseline, .avx2]

    /// By whom the kernels were compiled, and for what: another one gives other counts.
    var compiler: String
    var lines: [String: Line]

    // MARK: The file

    static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("instructions.tsv")
    private static let heads = [
        "# Instructions of each kernel, as valgrind's callgrind counts them: for one float where the",
        "# input is \"elements\", for one example where it is \"outputs\" or the pixels of a step.",
        "# Written by Scripts/record-instructions.",
    ]
    private static let compilerHead = "# Compiler: "

    struct Malformed: Error {
        let line: Substring
    }

    init(compiler: String, lines: [String: Line]) {
        (self.compiler, self.lines) = (compiler, lines)
    }

    init(_ text: String) throws {
        self.init(compiler: "", lines: [:])
        for line in text.split(separator: "\n") {
            if line.hasPrefix(Self.compilerHead) {
                compiler = String(line.dropFirst(Self.compilerHead.count))
            }
            if line.hasPrefix("#") || line.hasPrefix("kernel\t") { continue }
            let words = line.split(separator: "\t")
            guard words.count == 2 + Self.variants.count,
                let input = CountedRun.Input(rawValue: String(words[1]))
            else { throw Malformed(line: line) }
            let instructions = try zip(Self.variants, words.dropFirst(2)).map { variant, word in
                guard let number = Double(word), number > 0 else { throw Malformed(line: line) }
                return (variant, number)
            }
            lines[String(words[0])] = Line(
                input: input, instructions: Dictionary(uniqueKeysWithValues: instructions))
        }
    }

    var text: String {
        let columns = ["kernel", "input"] + Self.variants.map(\.rawValue)
        let rows = lines.sorted { $0.key < $1.key }.map { kernel, line in
            [kernel, line.input.rawValue]
                + Self.variants.map { Self.figure(line.instructions[$0] ?? 0) }
        }
        return
            (Self.heads + [Self.compilerHead + compiler]
            + ([columns] + rows).map { $0.joined(separator: "\t") })
            .map { $0 + "\n" }.joined()
    }

    /// Four digits or more.
    static func figure(_ instructions: Double) -> String {
        let digits = instructions < 10 ? 3 : instructions < 1_000 ? 1 : 0
        return String(format: "%.\(digits)f", instructions)
    }

    // MARK: Comparing

    /// Within which a figure is the recorded one.
    static let tolerance = 0.05

    /// What is not as it was recorded, in words.
    static func differences(recorded: Self, found: Self) -> [String] {
        Set(recorded.lines.keys).union(found.lines.keys).sorted().flatMap { kernel in
            guard let old = recorded.lines[kernel] else { return ["\(kernel): not recorded"] }
            guard let new = found.lines[kernel] else { return ["\(kernel): recorded, not found"] }
            guard old.input == new.input else {
                return ["\(kernel): recorded on \(old.input) pixels, found on \(new.input)"]
            }
            return variants.compactMap { variant in
                let (old, new) = (old.instructions[variant] ?? 0, new.instructions[variant] ?? 0)
                if abs(new - old) <= tolerance * old { return nil }
                let change = String(format: "%+.1f", 100 * (new / old - 1))
                return "\(kernel), \(variant): recorded \(figure(old)) instructions, found "
                    + "\(figure(new)) (\(change) %)"
            }
        }
    }

    /// As found; but what has hardly moved stays as it was, so that a commit shows what has.
    func recorded(over old: Self) -> Self {
        guard old.compiler == compiler else { return self }
        var result = self
        for (kernel, line) in lines {
            guard let former = old.lines[kernel], former.input == line.input else { continue }
            for (variant, new) in line.instructions {
                guard let old = former.instructions[variant] else { continue }
                if abs(new - old) <= Self.tolerance / 5 * old {
                    result.lines[kernel]?.instructions[variant] = old
                }
            }
        }
        return result
    }
}
