import Foundation
import RunRecords
import TestSupport
import Testing

/// Logs with as many lines as they get, and lines that are spelled otherwise than ours.
@Suite struct LogReadingTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/metrics.jsonl" }

    init() throws { folder = try TemporaryFolder() }

    private func write(_ records: [MetricsRecord]) throws {
        let log = try MetricsLog(creating: path, provenance: Samples.provenance)
        for record in records { try log.append(record) }
        log.flush()
    }

    /// What this thread has computed: other load on the machine does not count.
    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        try body()
        return now() - start
    }

    static let evaluation = EvaluationRecord(
        step: 937, epoch: 0.49973333333333336, split: .validation, loss: 0.5, accuracy: 0.75,
        otherDecodingAccuracy: 0.7, errorPassed: 0.9, gradientPassed: 0.625, seconds: 0.1)
    static let epoch = {
        var epoch = Samples.epoch(1)
        epoch.otherDecodingTestAccuracy = 0.7
        (epoch.testErrorPassed, epoch.testGradientPassed) = (0.9, 0.625)
        return epoch
    }()

    /// A line of each kind that a log has thousands of: `JSONDecoder` takes tens of microseconds.
    @Test(arguments: [
        MetricsRecord.step(
            StepRecord(
                step: 1, epoch: 1, loss: 0.125, accuracy: 0.5, learningRate: 0.001,
                gradientNorms: [0.3333333, 1], batchGradientNorms: [0.7, 1e-07],
                saturation: [0.5, 0], weightsDigest: "00112233aabbccdd")),
        .step(Samples.step(1)), .evaluation(evaluation), .epoch(Samples.epoch(1)), .epoch(epoch),
    ])
    func aLineIsReadInMicroseconds(record: MetricsRecord) throws {
        let count = 10_000
        try write([.run(Samples.run())] + (0..<count).map { _ in record })
        var found = 0
        let times = try (0..<3).map { _ in
            found = 0
            return try seconds {
                try MetricsFile.forEachRecord(of: path) { read, _ in found += read == record ? 1 : 0
                }
            }
        }
        #expect(found == count)
        let microseconds = (times.min() ?? .infinity) / Double(count) * 1e6
        #expect(microseconds < 6, "\(microseconds) µs a line")
    }

    /// Bit patterns by chance, so that there are numbers of every size among them.
    @Test func everyNumberKeepsItsBits() throws {
        var random = SeededRandom(seed: 7)
        func double() -> Double {
            let value = Double(bitPattern: random.next())
            return value.isFinite ? value : 0
        }
        func float() -> Float {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            return value.isFinite ? value : 0
        }
        var records: [MetricsRecord] = [.run(Samples.run())]
        for index in 1...5_000 {
            let step = StepRecord(
                step: index, epoch: 1, loss: float(), accuracy: Float(random.next() % 1_000) / 999,
                learningRate: double(), gradientNorms: [float(), float()],
                batchGradientNorms: index % 2 == 0 ? [float()] : [], saturation: [],
                weightsDigest: index % 3 == 0 ? nil : String(random.next(), radix: 16))
            records += [
                .step(step),
                .evaluation(
                    EvaluationRecord(
                        step: index, epoch: Double(random.next() % 99_999) / 7, split: .test,
                        loss: double(), accuracy: double(), seconds: double())),
            ]
        }
        try write(records)
        #expect(try MetricsFile(reading: path).records == records)
    }

    /// Of every spelling the same comes, and of none that is no JSON.
    @Test func otherSpellingsAreReadAsWell() throws {
        let step = StepRecord(
            step: 20, epoch: 2, loss: 0.5, accuracy: 1, learningRate: 1e-3, gradientNorms: [2],
            saturation: [0.25])
        try write([.run(Samples.run()), .step(step)])
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let line = String(lines[1])
        let spellings = [
            line.replacing(":", with: ": "), line.replacing("0.001", with: "1E-3"),
            line.replacing("\"step\":20", with: "\"step\":2e1"),
            line.replacing("0.5", with: "0.50000000000000000000000001"),
            line.replacing("\"epoch\":2,", with: "").replacing("}", with: ",\"epoch\":2}"),
            line.replacing("\"loss\"", with: "\"more\":[{}],\"loss\""),
            line.replacing("mnist", with: "\\u006dnist"),
        ]
        for spelling in spellings {
            try "\(lines[0])\n\(spelling)\n".write(
                toFile: path, atomically: true, encoding: .utf8)
            #expect(try MetricsFile(reading: path).records.last == .step(step), "\(spelling)")
        }
        let broken = [
            line.replacing("0.5", with: "00.5"), line.replacing("0.5", with: ".5"),
            line.replacing("0.5", with: "0."), line.replacing("0.5", with: "0.5e"),
            line.replacing("[2]", with: "[2"),
            line.replacing("0.001", with: "null"), line.replacing("20", with: "20.5"),
            line.replacing("0.5", with: "nul"), line + "}", line.replacing("d1d1", with: "d1d2"),
            line.replacing("\"saturation\":[0.25],", with: ""),
        ]
        for spelling in broken {
            try "\(lines[0])\n\(spelling)\n\(line)\n".write(
                toFile: path, atomically: true, encoding: .utf8)
            let error = #expect(throws: MetricsError.self, "\(spelling)") {
                try MetricsFile(reading: path)
            }
            #expect(error?.line == 2)
        }
    }

    /// Files are read in pieces of a megabyte.
    @Test(arguments: [1 << 20, 5_000_000]) func aLineMayBeLong(byteCount: Int) throws {
        var run = Samples.run()
        run.settings["note"] = String(repeating: "x", count: byteCount)
        let records: [MetricsRecord] = [
            .run(run), .step(Samples.step(1)),
            .end(Samples.end(.lost, cause: String(repeating: "y", count: byteCount))),
        ]
        try write(records)
        #expect(try MetricsFile(reading: path).records == records)
        #expect(try MetricsFile.end(of: path)?.cause?.count == byteCount)
    }

    @Test func theEndIsReadAlone() throws {
        try write([.run(Samples.run()), .step(Samples.step(1))])
        #expect(try MetricsFile.end(of: path) == nil)
        let whole = try Data(contentsOf: URL(filePath: path))
        try FileManager.default.removeItem(atPath: path)
        try write([.run(Samples.run()), .end(Samples.end())])
        #expect(try MetricsFile.end(of: path) == Samples.end())
        // Nothing before it counts here, and half of it is none.
        let end = Array(Samples.end().json.utf8)
        try (Data("noise\n".utf8) + end).write(to: URL(filePath: path))
        #expect(try MetricsFile.end(of: path) == Samples.end())
        try (whole + end.dropLast(4)).write(to: URL(filePath: path))
        #expect(try MetricsFile.end(of: path) == nil)
        try Data().write(to: URL(filePath: path))
        #expect(try MetricsFile.end(of: path) == nil)
    }

    /// Its result is in the other lines, and in the steps of its last epoch.
    @Test func aFinishedRunIsOpenedSoon() throws {
        let (epochs, steps) = (50, 400)
        var records: [MetricsRecord] = [.run(Samples.run())]
        for epoch in 1...epochs {
            records += (1...steps).map { .step(Samples.step(steps * epoch + $0, epoch: epoch)) }
            records.append(.epoch(Samples.epoch(epoch)))
        }
        records.append(.end(Samples.end()))
        try FileManager.default.createDirectory(
            atPath: folder.path + "/run", withIntermediateDirectories: true)
        let log = try MetricsLog(
            creating: folder.path + "/run/metrics.jsonl", provenance: Samples.provenance)
        for record in records { try log.append(record) }
        func open() throws -> RunDirectory.Opening {
            try RunDirectory.open(
                folder.path + "/run", configuration: "ce-softmax", seed: 1,
                configurationSHA256: Samples.provenance.configurationSHA256)
        }
        var expected = RunOutcome(run: Samples.run(), provenance: Samples.provenance)
        for record in records { expected.add(record) }
        #expect(try open() == .finished(RunDirectory(path: folder.path + "/run"), expected))
        let times = try (0..<3).map { _ in try seconds { _ = try open() } }
        let microseconds = (times.min() ?? .infinity) / Double(records.count) * 1e6
        #expect(microseconds < 2, "\(microseconds) µs a line")
    }

    /// A step that is left out is one of this run all the same.
    @Test(arguments: ["d1d1", "\"dataset\"", "}"])
    func damageInOldStepsIsFound(damaged: String) throws {
        let run = folder.path + "/run"
        try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
        do {
            let log = try MetricsLog(
                creating: run + "/metrics.jsonl", provenance: Samples.provenance)
            try log.append(.run(Samples.run()))
            for epoch in 1...3 {
                try log.append(.step(Samples.step(epoch, epoch: epoch)))
                try log.append(.epoch(Samples.epoch(epoch)))
            }
            try log.append(.end(Samples.end()))
        }
        let text = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
        var lines = text.split(separator: "\n").map(String.init)
        lines[1] = lines[1].replacing(damaged, with: "?", maxReplacements: 1)
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: run + "/metrics.jsonl", atomically: true, encoding: .utf8)
        let error = #expect(throws: MetricsError.self) {
            try RunDirectory.open(
                run, configuration: "ce-softmax", seed: 1,
                configurationSHA256: Samples.provenance.configurationSHA256)
        }
        #expect(error?.line == 2)
    }
}
