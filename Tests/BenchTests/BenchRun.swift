import Datasets
import Foundation
import TestSupport
import Testing

/// A run of `lockstep-bench` with its lines of `--json`.
struct BenchRun {
    /// A line of `--json`.
    struct Line: Decodable {
        let command: String
        let section: String
        let what: String
        let value: Double
        let unit: String
        let microseconds: Double?
        let against: String?
        let againstValue: Double?
        let ratio: Double?
        let ratioLowest: Double?
        let ratioHighest: Double?
        let rounds: Int?
        let row: String?
        let place: String?
        let goal: String?

        enum CodingKeys: String, CodingKey {
            case command, section, what, value, unit, microseconds, against, ratio, rounds, row
            case place, goal
            case againstValue = "against_value"
            case ratioLowest = "ratio_lowest"
            case ratioHighest = "ratio_highest"
        }
    }

    static let program = ToolRun.buildDirectory.appendingPathComponent("lockstep-bench")

    /// Figures.
    let lines: [Line]
    /// All objects, as they were printed.
    let texts: [String]
    /// What was said about them.
    let notes: String

    /// Runs it, and checks what is true of all figures.
    ///
    /// - Parameters:
    ///   - data: a folder to train on.
    ///   - command: the one that all figures are from; nil: of several.
    init(
        _ arguments: [String], data: String? = nil, command: String?,
        environment: [String: String] = [:], seconds: Double = 120
    ) throws {
        var environment = environment
        if let data { environment["LOCKSTEP_DATA"] = data }
        let run = try ToolRun(
            Self.program, arguments + ["--quick", "--json"], environment: environment,
            seconds: seconds)
        try #require(run.status == 0, "\(arguments): \(run.output)")
        notes = run.standardError
        texts = run.standardOutput.split(separator: "\n").filter { $0.hasPrefix("{") }
            .map(String.init)
        let decoder = JSONDecoder()
        lines = texts.compactMap { try? decoder.decode(Line.self, from: Data($0.utf8)) }
        try #require(!lines.isEmpty, "\(run.output)")
        for line in lines {
            if let command { #expect(line.command == command) }
            for value in [line.value, line.microseconds, line.againstValue, line.ratio] {
                if let value {
                    #expect(value.isFinite && value > 0, "\(line.section), \(line.what): \(value)")
                }
            }
            #expect((line.againstValue == nil) == (line.ratio == nil))
            if let against = line.againstValue, let ratio = line.ratio {
                #expect(ratio == line.value / against)
                #expect(line.against?.isEmpty == false)
                // Every ratio has the spread of its rounds, and lies in it.
                let lowest = try #require(line.ratioLowest, "\(line.section), \(line.what)")
                let highest = try #require(line.ratioHighest)
                #expect((line.rounds ?? 0) > 0)
                #expect(lowest <= ratio * (1 + 1e-9) && ratio <= highest * (1 + 1e-9))
            }
        }
    }
}

/// A folder with a few generated digits, or with as many made-up images as the peers have in their
/// source; gone with its owner.
final class BenchDigits: Sendable {
    let path: String
    /// The pixels of the training images.
    let pixels: [UInt8]

    /// A few generated digits.
    init() throws {
        let dataset = SyntheticDigits(trainCount: 1_000, testCount: 200).dataset()
        pixels = Array(dataset.train.pixels)
        path = try Self.write(dataset)
    }

    /// Images that cost no time to make: bytes that repeat, a quarter of them zero.
    init(trainCount: Int) throws {
        func images(_ count: Int) -> LabelledImages {
            LabelledImages(
                pixels: (0..<count * LabelledImages.pixelCount).map {
                    $0 % 4 == 0 ? 0 : UInt8(truncatingIfNeeded: $0)
                }, labels: (0..<count).map { UInt8($0 % 10) })
        }
        let train = images(trainCount)
        pixels = Array(train.pixels)
        path = try Self.write(
            Dataset(train: train, test: images(200), origin: "made up"))
    }

    private static func write(_ dataset: Dataset) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("bench-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for part in DatasetPart.allCases {
            let bytes = SmallDigits.file(part, of: dataset)
            try Data(bytes).write(to: folder.appendingPathComponent(part.fileName))
        }
        return folder.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
