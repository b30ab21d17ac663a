import Datasets
import Foundation
import RunRecords
import Synchronization
import TestSupport
import Testing

/// Whole runs of the real program. One at a time: each has the machine to itself, as far as other
/// tests let it.
@Suite(.serialized) enum EndToEndTests {}

/// The program under test: small digits, a cache of its own, and nothing from this user's
/// environment.
struct Lockstep {
    static let program = ToolRun.buildDirectory.appendingPathComponent("lockstep")

    /// Holds what a test makes, and the cache.
    let folder: TemporaryFolder
    var environment: [String: String]
    /// Whether roles use keys, as they do where nothing else is said. Without, a test can listen
    /// and speak.
    private let usesKeys: Bool

    init(data: String? = nil, usesKeys: Bool = false) throws {
        self.usesKeys = usesKeys
        folder = try TemporaryFolder()
        environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("LOCKSTEP_") }
        environment["LOCKSTEP_DATA"] = try data ?? digitsFolder.get()
        environment["XDG_CACHE_HOME"] = folder.path("cache")
        environment["XDG_CONFIG_HOME"] = folder.path("config")
    }

    func start(_ arguments: [String], _ more: [String: String] = [:]) throws -> RunningTool {
        let isRole = ["coordinator", "server", "worker"].contains(arguments.first)
        let isOpen = isRole && !usesKeys && !arguments.contains("--insecure")
        return try RunningTool(
            Self.program, arguments + (isOpen ? ["--insecure"] : []),
            environment: environment.merging(more) { $1 })
    }

    func run(_ arguments: [String], _ more: [String: String] = [:]) throws -> ToolRun {
        try start(arguments, more).end()
    }

    /// Makes a cluster's key.
    func makeKey(_ name: String = "cluster.key") throws -> String {
        let path = folder.path(name)
        let made = try run(["keys", "create", path])
        try #require(made.status == 0, "\(made.standardError)")
        return path
    }

    /// `lockstep train`, whose result is what `--json` printed.
    func train(_ arguments: [String], _ more: [String: String] = [:]) throws -> EndRecord {
        let run = try run(
            ["train", "--json", "--run-dir", folder.path("run-\(UUID().uuidString)")] + arguments,
            more)
        try #require(run.status == 0, "\(run.standardError)")
        return try run.end()
    }
}

extension ToolRun {
    /// The objects that `--json` prints, in order.
    func ends() throws -> [EndRecord] {
        try standardOutput.split(separator: "\n").map {
            try JSONDecoder().decode(EndRecord.self, from: Data($0.utf8))
        }
    }

    func end() throws -> EndRecord { try #require(try ends().last, "\(standardError)") }

    /// The last line for a person: what ended the command, without where to look further.
    var message: String {
        standardError.split(separator: "\n").last { !$0.hasPrefix("To look for the cause") }
            .map(String.init) ?? ""
    }
}

extension RunningTool {
    /// Where a coordinator listens, as it says.
    func endpoint() throws -> String {
        let mark = "listening on "
        try #require(says(mark), "\(standardError)")
        var text = ""
        // The line comes whole, but maybe a moment after its beginning.
        _ = eventually {
            text = standardError
            return text.split(separator: mark).last?.contains("\n") == true
        }
        let rest = try #require(text.split(separator: mark).last)
        return try String(#require(rest.split { $0 == "\n" || $0 == ";" }.first))
    }

    /// How many epochs a coordinator has told of.
    var epochCount: Int { standardError.matches(of: /train loss/).count }

    /// The processes of the workers that a coordinator has told of, once there are so many.
    func workers(_ count: Int) throws -> [Int32] {
        let pattern = /worker \d+ \(host .*?, process (\d+)\) is ready/
        var found: [Int32] = []
        let areThere = eventually {
            found = standardError.matches(of: pattern).compactMap { Int32($0.output.1) }
            return found.count >= count
        }
        try #require(areThere, "\(standardError)")
        return found
    }
}

/// The first of so many ports that nobody has now, below those that the system gives out.
func likelyFreePort(count: Int = 1) -> Int {
    while true {
        let port = Int.random(in: 15_000..<29_000)
        if (port..<port + count).allSatisfy(isFree) { return port }
    }
}

private func isFree(_ port: Int) -> Bool {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    return unsafe withUnsafePointer(to: &address) { address in
        unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            unsafe bind(socket, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

/// The lines of a run's log, but for what depends on the time or the place.
func logLines(_ directory: String) throws -> [String] {
    try String(contentsOfFile: directory + "/metrics.jsonl", encoding: .utf8)
        .split(separator: "\n").compactMap { line in
            var record = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            if record["event"] as? String == "run" { return nil }
            for key in ["seconds", "examples_per_second", "workers", "threads", "servers"] {
                record[key] = nil
            }
            return try String(
                decoding: JSONSerialization.data(withJSONObject: record, options: .sortedKeys),
                as: UTF8.self)
        }
}

/// A folder with the small digits as IDX files, made once and removed when the tests end.
let digitsFolder: Result<String, any Error> = Result {
    let folder = try TemporaryFolder()
    try SmallDigits.write(to: folder)
    keptFolder.withLock { $0 = folder }
    atexit { keptFolder.withLock { $0 = nil } }
    return folder.path
}

/// Nobody else holds it: it goes when this is emptied.
private let keptFolder = Mutex<TemporaryFolder?>(nil)

/// Real MNIST, where it is there: `LOCKSTEP_DATA`, or `../shared/mnist` beside the package.
let mnistFolder: String? = {
    var beside = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { beside.deleteLastPathComponent() }
    let candidates: [String?] = [
        ProcessInfo.processInfo.environment["LOCKSTEP_DATA"],
        beside.appendingPathComponent("shared/mnist").path,
    ]
    return candidates.compactMap { $0 }.first { path in
        let dataset = try? DatasetFolder(path: path).load(requiringMNIST: true)
        return dataset != nil
    }
}()
