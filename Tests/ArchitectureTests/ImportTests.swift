import Datasets
import Foundation
import Testing

/// Lower targets never import upper ones, and C stays inside its wrapper.
struct ImportTests {
    /// The picture of the house: every target with those of ours that it may import. Each stands
    /// below those that import it.
    private static let house: [(target: String, imports: Set<String>)] = [
        ("CVector", []), ("CLinux", []), ("CSodium", []), ("CZlib", []), ("CZeroMQ", []),
        ("RandomNumbers", []),
        ("CrashPoints", []), ("TerminalText", []), ("Statistics", ["RandomNumbers"]),
        ("TrainingPlan", []),
        ("Hashing", ["CSodium", "CZlib"]),
        ("ZeroMQ", ["CZeroMQ"]),
        ("Datasets", ["Hashing", "RandomNumbers", "CZlib"]),
        ("Kernels", ["CVector"]), ("KernelsAVX2", ["CVector"]), ("KernelsAVX512", ["CVector"]),
        (
            "NeuralNetwork",
            [
                "CVector", "Kernels", "KernelsAVX2", "KernelsAVX512", "RandomNumbers",
                "TrainingPlan",
            ]
        ),
        ("Formats", ["Hashing"]),
        ("RunRecords", ["Formats", "Hashing", "CrashPoints"]),
        // What the roles decide depends on values only: their machines see no float and no kernel.
        ("LockstepProtocol", ["TrainingPlan"]),
        ("Report", ["Statistics", "RunRecords", "Formats", "TerminalText"]),
        (
            "LockstepRuntime",
            [
                "LockstepProtocol", "ZeroMQ", "RunRecords", "Formats", "NeuralNetwork",
                "TrainingPlan", "Datasets", "Hashing", "CrashPoints", "TerminalText",
                "CLinux",
            ]
        ),
        (
            "LockstepSimulator",
            [
                "LockstepRuntime", "LockstepProtocol", "RunRecords", "NeuralNetwork",
                "TrainingPlan", "ZeroMQ",
            ]
        ),
        (
            "Experiments",
            [
                "LockstepRuntime", "LockstepProtocol", "Report", "Statistics", "RunRecords",
                "Formats", "NeuralNetwork", "TrainingPlan", "Datasets", "Hashing", "TerminalText",
            ]
        ),
        (
            "lockstep",
            [
                "Experiments", "Report", "LockstepSimulator", "LockstepRuntime",
                "LockstepProtocol", "ZeroMQ", "RunRecords", "Formats", "NeuralNetwork",
                "TrainingPlan", "Datasets", "Hashing", "CrashPoints", "TerminalText",
                "CLinux",
            ]
        ),
        (
            "lockstep-bench",
            [
                "Report", "LockstepProtocol", "ZeroMQ", "RunRecords", "NeuralNetwork",
                "TrainingPlan", "Datasets", "Hashing", "RandomNumbers", "TerminalText",
            ]
        ),
    ]

    /// Who may import a C module, as path prefixes below Sources.
    private static let wrappers: [String: [String]] = [
        "CVector": [
            "Kernels/", "KernelsAVX2/", "KernelsAVX512/", "NeuralNetwork/KernelSet.swift",
        ],
        "CSodium": ["Hashing/"],
        "CZlib": ["Datasets/Gzip/", "Hashing/CRC32.swift"],
        "CZeroMQ": ["ZeroMQ/"],
        "CLinux": [
            "lockstep/LockstepCommand.swift", "lockstep/Signals.swift",
            "lockstep/StandardStreams.swift", "LockstepRuntime/Threads.swift",
        ],
    ]

    private static func floor(_ target: String) -> Int? {
        house.firstIndex { $0.target == target }
    }

    /// The modules that a Swift file imports, whatever stands before or behind the word.
    static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { " \t;".contains($0) })
            guard let keyword = words.firstIndex(of: "import"),
                words[..<keyword].allSatisfy({
                    $0.hasPrefix("@")
                        || ["package", "public", "internal", "private", "fileprivate"].contains($0)
                }), let last = words[(keyword + 1)...].first(where: { !kinds.contains($0) })
            else { return nil }
            return last.split(separator: ".").first.map(String.init)
        }
    }

    private static let kinds: Set<Substring> = [
        "struct", "class", "enum", "protocol", "typealias", "func", "let", "var",
    ]

    /// What is wrong with a file's imports.
    static func violations(of path: String, _ text: String) -> [String] {
        let target = String(path.prefix { $0 != "/" })
        guard let own = floor(target) else { return ["\(path): \(target) has no floor here"] }
        return imports(of: text).compactMap { module in
            if let allowed = wrappers[module], !allowed.contains(where: path.hasPrefix) {
                return "\(path) imports \(module), which stays inside its wrapper"
            }
            guard let imported = floor(module) else { return nil }
            if imported >= own { return "\(path) imports \(module), which is not below \(target)" }
            return house[own].imports.contains(module)
                ? nil : "\(path) imports \(module), which \(target) does without"
        }
    }

    @Test func importsPointDown() throws {
        let files = try Repository.files(below: "Sources").filter { $0.hasSuffix(".swift") }
        try #require(files.count > 10)
        for path in files {
            for violation in Self.violations(of: path, try Repository.text("Sources/\(path)")) {
                Issue.record("\(violation)")
            }
        }
    }

    /// The picture itself points down.
    @Test func thePictureHasNoWayUp() {
        for (floor, target) in Self.house.enumerated() {
            for module in target.imports {
                #expect((Self.floor(module) ?? .max) < floor, "\(target.target) and \(module)")
            }
        }
    }

    /// No arrow of the picture is one that no file needs. Variants of the kernels are links.
    @Test(arguments: house.map(\.target).filter { !$0.hasPrefix("KernelsAVX") })
    func everyArrowIsUsed(target: String) throws {
        let files = try Repository.files(below: "Sources/\(target)")
            .filter { $0.hasSuffix(".swift") }
        let used = try Set(
            files.flatMap { Self.imports(of: try Repository.text("Sources/\(target)/\($0)")) })
        let allowed = Self.house.first { $0.target == target }?.imports ?? []
        #expect(allowed.subtracting(used).isEmpty, "\(allowed.subtracting(used))")
    }

    @Test func everyTargetHasAFloor() throws {
        let path = Repository.root.appendingPathComponent("Sources").path
        for target in try FileManager.default.contentsOfDirectory(atPath: path) {
            #expect(Self.floor(target) != nil, "Sources/\(target) has no floor in this test")
        }
    }

    @Test(arguments: [
        ("Kernels/Fold.swift", "import NeuralNetwork"), ("Hashing/A.swift", "import CVector"),
        ("Datasets/A.swift", "package import NeuralNetwork"),
        ("NeuralNetwork/Network.swift", "import CVector"),
        ("LockstepProtocol/A.swift", "import struct LockstepRuntime.Clock"),
        ("LockstepRuntime/A.swift", "    @preconcurrency import lockstep"),
        ("LockstepRuntime/A.swift", "import CZeroMQ"), ("Novelty/A.swift", ""),
        ("LockstepRuntime/A.swift", "import Experiments"), ("Formats/A.swift", "import RunRecords"),
        ("RunRecords/A.swift", "import Statistics"), ("Report/A.swift", "import NeuralNetwork"),
    ])
    func aViolationIsSeen(path: String, text: String) {
        #expect(Self.violations(of: path, text).count == 1)
    }

    @Test(arguments: [
        ("Kernels/Fold.swift", "import CVector"),
        ("NeuralNetwork/KernelSet.swift", "import CVector"),
        ("lockstep/A.swift", "package import LockstepRuntime\nimport Foundation"),
        ("Kernels/Fold.swift", "// import NeuralNetwork"),
    ])
    func whatPointsDownPasses(path: String, text: String) {
        #expect(Self.violations(of: path, text).isEmpty)
    }

    @Test(arguments: ["NeuralNetwork", "Kernels", "KernelsAVX2", "Datasets", "ZeroMQ", "Hashing"])
    func theProtocolDependsOnThePlanOnly(module: String) {
        for path in ["LockstepProtocol/A.swift", "TrainingPlan/A.swift"] {
            #expect(Self.violations(of: path, "package import \(module)").count == 1)
        }
        #expect(Self.violations(of: "LockstepProtocol/A.swift", "import TrainingPlan").isEmpty)
    }

    /// What stands beside the repository on a developer's machine is not part of it.
    @Test func sourcesMentionNothingOutside() throws {
        for path in try Repository.files(below: "Sources") where !Self.isFolder(path) {
            let text = try Repository.text("Sources/\(path)")
            #expect(!text.contains("../" + "shared"), "Sources/\(path)")
        }
    }

    /// A file holds one topic.
    @Test func noFileIsLong() throws {
        for path in try Repository.files(below: "Sources") where path.hasSuffix(".swift") {
            let count = try Repository.text("Sources/\(path)").count { $0 == "\n" }
            #expect(count <= 350, "Sources/\(path) has \(count) lines")
        }
    }

    @Test func testsUseNoTestableImport() throws {
        for path in try Repository.files(below: "Tests") where path.hasSuffix(".swift") {
            let text = try Repository.text("Tests/\(path)")
            #expect(!text.contains("@" + "testable"), "Tests/\(path)")
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        let url = Repository.root.appendingPathComponent("Sources/\(path)")
        return (try? url.resolvingSymlinksInPath().resourceValues(forKeys: [.isDirectoryKey]))?
            .isDirectory ?? true
    }
}
