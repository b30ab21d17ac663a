import ArgumentParser
import Foundation

/// What every subcommand has.
struct BenchOptions: ParsableArguments {
    @Flag(help: "Fewer and shorter rounds: figures to look at, not to compare.")
    var quick = false

    @Flag(help: "Print one JSON object a figure instead of tables.")
    var json = false
}

/// The programs to measure beside.
struct PeerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A folder with torch_ddp.py, jax_scan.py, keras_seed.py, zmq_floor.c and zmq_colocated.c.",
            valueName: "dir"))
    var peers: String?
}

/// The data to train on.
struct DataOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files. Default: as for training.",
            valueName: "dir|mnist|synthetic"))
    var data: String?
}

/// Positive numbers, separated by commas.
struct NumberList: ExpressibleByArgument, Sendable {
    let values: [Int]

    init(_ values: [Int]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = parts.compactMap { Int($0) }.filter { $0 > 0 }
        if values.isEmpty || values.count != parts.count { return nil }
    }

    var defaultValueDescription: String {
        values.map(String.init).joined(separator: ",")
    }
}

/// Sentences on standard error: what is being done, and what is missing.
enum Notes {
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    private static let isTerminal = isatty(STDERR_FILENO) != 0

    /// A line that the next one replaces; on a terminal only.
    static func progress(_ text: String) {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    static func endProgress() { progress("") }
}
