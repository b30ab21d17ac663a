import Foundation
import NeuralNetwork
import TestSupport

/// A run of `kernel-cost` whose instructions valgrind has counted.
struct CountedRun {
    /// What the kernels work on: an argument of `kernel-cost`.
    enum Input: String, CaseIterable {
        // A kernel's figure is that of the first input that it sees.
        case elements, outputs, sparse, grey, dense
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let valgrind = ToolRun.find("valgrind")

    /// By kernel, for one float or one example.
    let instructions: [String: Double]

    init(_ input: Input, _ variant: KernelVariant) throws {
        guard let valgrind = Self.valgrind else { throw Failure(description: "no valgrind") }
        let folder = try TemporaryFolder()
        let file = folder.path("callgrind.out")
        let tool = ToolRun.buildDirectory.appendingPathComponent("kernel-cost")
        let run = try ToolRun(
            valgrind,
            [
                "--tool=callgrind", "--callgrind-out-file=\(file)", "--dump-line=no",
                "--demangle=no", tool.path, input.rawValue,
            ],
            // The linker's own work is no kernel's.
            environment: ["LOCKSTEP_KERNELS": variant.rawValue, "LD_BIND_NOW": "1"], seconds: 120)
        guard run.status == 0 else {
            throw Failure(description: "kernel-cost \(input) (\(variant)): \(run.output)")
        }
        guard let divisor = Double(run.standardOutput.trimmingCharacters(in: .newlines)) else {
            throw Failure(description: "kernel-cost \(input) printed \(run.standardOutput)")
        }
        let counts = Self.inclusiveCounts(
            try String(contentsOfFile: file, encoding: .utf8), module: Self.module(variant))
        instructions = counts.mapValues { Double($0) / divisor }
    }

    private static func module(_ variant: KernelVariant) -> String {
        switch variant {
        case .baseline: "Kernels"
        case .avx2: "KernelsAVX2"
        case .avx512: "KernelsAVX512"
        }
    }

    /// What the functions of a module that others call have cost, with all that they call.
    ///
    /// - Parameter profile: callgrind's: a function's name after `fn=`, below it those that it
    ///   calls after `cfn=`, each with a line `calls=` and one of position and cost. A name stands
    ///   behind its number the first time only.
    static func inclusiveCounts(_ profile: String, module: String) -> [String: Int] {
        var names: [Substring: String?] = [:]
        func kernel(_ entry: Substring) -> String? {
            let parts = entry.split(separator: " ", maxSplits: 1)
            guard let number = parts.first else { return nil }
            if parts.count == 2 { names[number] = Self.function(parts[1], of: module) }
            return names[number] ?? nil
        }
        var result: [String: Int] = [:]
        var (caller, callee): (String?, String?)
        var isCost = false
        for line in profile.split(separator: "\n") {
            if isCost, let cost = line.split(separator: " ").last.flatMap({ Int($0) }) {
                if caller == nil, let callee { result[callee, default: 0] += cost }
                isCost = false
            } else if line.hasPrefix("fn=") {
                caller = kernel(line.dropFirst(3))
            } else if line.hasPrefix("cfn=") {
                callee = kernel(line.dropFirst(4))
            } else if line.hasPrefix("calls=") {
                isCost = true
            }
        }
        return result
    }

    /// `denseForward` of `$s7Kernels12denseForwardyy…`; nil for functions of other modules.
    private static func function(_ symbol: Substring, of module: String) -> String? {
        let prefix = "$s\(module.count)\(module)"
        guard symbol.hasPrefix(prefix) else { return nil }
        let rest = symbol.dropFirst(prefix.count)
        let digits = rest.prefix(while: \.isNumber)
        guard let count = Int(digits), count > 0 else { return nil }
        return String(rest.dropFirst(digits.count).prefix(count))
    }
}
