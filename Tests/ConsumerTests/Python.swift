import Foundation
import TestSupport
import Testing

/// The `python3` on the path, with the packages that it can import.
enum Python {
    /// A script of this folder has come to another end than its own.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The interpreter itself, whatever starts it, and those packages of the scripts' that it
    /// finds. They are not imported here: that would take a while.
    private static let (executable, packages): (URL?, Set<String>) = {
        let names = ["keras", "numpy", "onnx", "onnxruntime", "safetensors", "tensorboard", "yaml"]
        let program = """
            import sys
            from importlib.util import find_spec
            print(sys.executable, *(name for name in \(names) if find_spec(name)), sep="\\n")
            """
        guard let python = ToolRun.find("python3"),
            let found = try? ToolRun(python, ["-c", program]),
            found.status == 0
        else { return (nil, []) }
        let lines = found.output.split(separator: "\n").map(String.init)
        return (lines.first.map { URL(fileURLWithPath: $0) }, Set(lines.dropFirst()))
    }()

    static var isThere: Bool { executable != nil }

    static func has(_ names: String...) -> Bool { packages.isSuperset(of: names) }

    /// Runs a script of this folder, which must end well.
    static func run(_ script: String, _ arguments: [String]) throws {
        guard let executable else { throw Failure(description: "there is no python3") }
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent(script).path
        // No __pycache__ beside the sources.
        let run = try ToolRun(
            executable, ["-B", path] + arguments, environment: ["OMP_NUM_THREADS": "1"],
            seconds: 120)
        guard run.status == 0 else {
            throw Failure(description: "\(script) ended with \(run.status): \(run.output)")
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test, and says why, where a package cannot be imported.
    static func needs(_ packages: String...) -> Self {
        .enabled(
            if: Python.isThere && packages.allSatisfy { Python.has($0) },
            packages.isEmpty
                ? "needs a python3"
                : "needs a python3 with \(packages.joined(separator: ", ")) from PyPI")
    }
}
