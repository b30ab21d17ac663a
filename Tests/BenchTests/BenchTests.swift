import Datasets
import Foundation
import TestSupport
import Testing

/// Every subcommand runs, without peers, and gives figures that can be.
struct BenchTests {
    /// A line of `--json`.
    private struct Line: Decodable {
        let command: String
        let section: String
        let what: String
        let value: Double
        let unit: String
        let microseconds: Double?
        let against: String?
        let againstValue: Double?
        let ratio: Double?
        let goal: String?

        enum CodingKeys: String, CodingKey {
            case command, section, what, value, unit, microseconds, against, ratio, goal
            case againstValue = "against_value"
        }
    }

    /// Runs `lockstep-bench`, and checks what is true of all figures.
    private static func lines(_ arguments: [String], data: String? = nil) throws -> [Line] {
        let program = ToolRun.buildDirectory.appendingPathComponent("lockstep-bench")
        var environment: [String: String] = [:]
        if let data { environment["LOCKSTEP_DATA"] = data }
        let run = try ToolRun(
            program, arguments + ["--quick", "--json"], environment: environment, seconds: 120)
        try #require(run.status == 0, "\(arguments): \(run.output)")
        let lines = try run.output.split(separator: "\n").filter { $0.hasPrefix("{") }.map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        try #require(!lines.isEmpty, "\(run.output)")
        for line in lines {
            #expect(line.command == arguments[0])
            for value in [line.value, line.microseconds, line.againstValue, line.ratio] {
                if let value {
                    #expect(value.isFinite && value > 0, "\(line.section), \(line.what): \(value)")
                }
            }
            if let against = line.againstValue {
                #expect(line.ratio == line.value / against)
                #expect(line.against?.isEmpty == false)
            }
        }
        return lines
    }

    @Test func kernelsOfEveryVariantAndTheTree() throws {
        let data = try SmallData()
        let lines = try Self.lines(["kernels"], data: data.path)
        let names = lines.map(\.what)
        for name in ["sparseForward", "sparseWeightGradient", "denseForward 784→128", "adam"] {
            #expect(names.contains("\(name), baseline"))
        }
        let tree = lines.filter { $0.against == "one leaf" }
        #expect(tree.map(\.what) == ["32, leaves of 16", "128, leaves of 16", "512, leaves of 16"])
        #expect(tree.allSatisfy { $0.goal == "≤ 1.15×" && $0.unit == "µs" })
        let products = lines.filter { $0.section.hasPrefix("Dense") }
        #expect(products.contains { $0.what == "32 × 784 × 128" && $0.unit == "GFLOP/s" })
        // A time and a rate of one figure say the same.
        for line in products {
            let numbers = line.what.split(separator: " × ").compactMap { Double($0) }
            let microseconds = try #require(line.microseconds)
            let operations = 2 * numbers.reduce(1, *)
            #expect(abs(operations / microseconds * 1e-3 / line.value - 1) < 1e-6)
        }
    }

    @Test func codec() throws {
        let lines = try Self.lines(["codec", "--floats", "5000"])
        #expect(lines.map(\.what).contains("decode and check"))
        #expect(lines.contains { $0.what == "checksum, baseline" && $0.against == "memcpy" })
    }

    @Test func transportOfSeveralShapes() throws {
        let lines = try Self.lines([
            "transport", "--workers", "1,3", "--servers", "1,2", "--floats", "1001",
        ])
        #expect(
            lines.map(\.what) == [
                "1 workers, 1 server, 1001 floats", "3 workers, 1 server, 1001 floats",
                "1 workers, 2 servers, 1001 floats", "3 workers, 2 servers, 1001 floats",
            ])
        #expect(lines.allSatisfy { $0.unit == "µs" && $0.against == nil })
    }

    @Test func stepsInAllPlacements() throws {
        let data = try SmallData()
        let lines = try Self.lines(["step", "--batch-sizes", "128"], data: data.path)
        #expect(
            lines.filter { $0.unit == "examples/s" && $0.against == nil }.map(\.section).count == 3)
        #expect(
            lines.filter { $0.against == "one thread" }.map(\.what) == [
                "two threads, batch 128", "two workers, batch 128",
            ])
        let floor = try #require(lines.last)
        #expect(floor.against == "floor" && floor.goal == "≤ 1.2×")
    }

    @Test func seedsScripts() throws {
        let data = try SmallData()
        let lines = try Self.lines(["keras", "--epochs", "1"], data: data.path)
        #expect(
            lines.map(\.what)
                == ["mse-tanh", "ce-softmax"].flatMap {
                    ["\($0), training", "\($0), start to end", "\($0), test accuracy"]
                })
    }

    @Test(arguments: [
        (["transport", "--workers", "0"], "--workers"), (["step", "--rounds", "0"], "--rounds"),
        (["transport", "--servers", "9", "--floats", "8"], "--servers"),
        (["transport", "--quick", "--peers", "/nowhere"], "--peers"),
    ])
    func whatCannotBeMeasuredIsNamed(arguments: [String], name: String) throws {
        let program = ToolRun.buildDirectory.appendingPathComponent("lockstep-bench")
        let run = try ToolRun(program, arguments)
        #expect(run.status == 64)
        #expect(run.output.contains(name), "\(run.output)")
    }
}

/// A folder with a few generated digits, gone with its owner.
private final class SmallData {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("bench-tests-\(UUID().uuidString)")
        path = folder.path
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let dataset = SyntheticDigits(trainCount: 1_000, testCount: 200).dataset()
        var offset = 0
        for (part, count) in zip(DatasetPart.allCases, [1_000, 1_000, 200, 200]) {
            let byteCount = part.holdsImages ? 16 + count * 784 : 8 + count
            let bytes = dataset.payloadChunk(offset: offset, byteCount: byteCount)
            try Data(bytes).write(to: folder.appendingPathComponent(part.fileName))
            offset += byteCount
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
