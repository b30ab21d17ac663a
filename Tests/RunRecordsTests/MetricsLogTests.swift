import Foundation
import RunRecords
import TestSupport
import Testing

@Suite struct MetricsLogTests {
    static let records: [MetricsRecord] = [
        .run(Samples.run()), .step(Samples.step(1)), .step(Samples.step(2)),
        .evaluation(
            EvaluationRecord(
                step: 2, epoch: 0.5, split: .test, loss: 0.3, accuracy: 0.91, seconds: 0.75)),
        .epoch(Samples.epoch(1)), .end(Samples.end(changed: 0, compared: 10_000)),
    ]

    private func write(_ records: [MetricsRecord], to path: String) throws {
        let log = try MetricsLog(creating: path, provenance: Samples.provenance)
        for record in records { try log.append(record) }
        log.flush()
    }

    @Test func readsWhatItWrote() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try write(Self.records, to: path)
        let file = try MetricsFile(reading: path)
        #expect(file.records == Self.records)
        #expect(file.provenance == Samples.provenance)
        #expect(file.cutOffByteCount == 0)
    }

    /// Earlier versions wrote settings as flags, three of them under other names.
    @Test func settingsOfEarlierVersionsHaveTheirNamesOfToday() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        var run = Samples.run()
        run.settings = [
            "configuration": "mse-tanh", "hidden": "tanh", "output": "relu", "batch-size": "8",
        ]
        var custom = Samples.run()
        custom.settings = ["configuration": "custom"]
        for (written, read) in [
            (
                run,
                [
                    "preset": "mse-tanh", "hidden_activation": "tanh",
                    "output_activation": "relu", "batch_size": "8",
                ]
            ), (custom, [:]),
        ] {
            try? FileManager.default.removeItem(atPath: path)
            try write([.run(written)], to: path)
            guard case .run(let found) = try MetricsFile(reading: path).records.first else {
                Issue.record("no run")
                return
            }
            #expect(found.settings == read)
        }
    }

    @Test func linesAreAsDocumented() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try write(Self.records, to: path)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let stamp =
            #""dataset":"mnist","dataset_sha256":"\#(Samples.provenance.datasetSHA256)","#
            + #""configuration_sha256":"\#(Samples.provenance.configurationSHA256)"}"#
        let step =
            #"{"event":"step","step":1,"epoch":1,"loss":0.1,"accuracy":0.9375,"#
            + #""learning_rate":0.001,"gradient_norms":[0.25,1e-07],"saturation":[0.5,0.125],"#
        #expect(lines[1] == step + stamp)
        let epoch =
            #"{"event":"epoch","epoch":1,"step":1875,"examples":60000,"seconds":1.5,"#
            + #""train_loss":0.25,"train_accuracy":0.93,"test_loss":0.125,"test_accuracy":0.96,"#
            + #""weights_sha256":"\#(String(repeating: "ab", count: 32))","#
        #expect(lines[4] == epoch + stamp)
        #expect(String(lines[5]) == Samples.end(changed: 0, compared: 10_000).json)
        for line in lines {
            let object = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["dataset"] as? String == "mnist")
            #expect(object["dataset_sha256"] as? String == Samples.provenance.datasetSHA256)
            #expect(
                object["configuration_sha256"] as? String == Samples.provenance.configurationSHA256)
        }
        let end = try #require(
            JSONSerialization.jsonObject(with: Data(lines[5].utf8)) as? [String: Any])
        #expect(
            Set(end.keys) == [
                "event", "status", "configuration", "configuration_sha256", "dataset",
                "dataset_sha256", "seed", "workers", "threads", "servers", "batch_size", "steps",
                "epochs", "test_accuracy", "test_loss", "seconds", "examples_per_second",
                "weights_sha256", "rescaling_changed_decisions", "rescaling_compared_decisions",
            ])
    }

    @Test func theMachineStandsInTheLog() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        var (run, end) = (Samples.run(), Samples.end())
        run.machine = Machine(host: "a.b", cores: 2)
        end.parallelism = 3
        try write([.run(run), .end(end)], to: path)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(#""machine":{"host":"a.b","cores":2}"#))
        #expect(text.contains(#","parallelism":3}"#))
        #expect(try MetricsFile(reading: path).records == [.run(run), .end(end)])
    }

    @Test func writesWhatIsNotFiniteAsNull() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        var step = Samples.step(1)
        step.loss = .infinity
        step.gradientNorms = [.nan, 1]
        let end = Samples.end(
            .diverged, testAccuracy: .nan, testLoss: -.infinity, cause: "a “bad” \"\\\n step",
            divergedStep: 2)
        try write([.run(Samples.run()), .step(step), .end(end)], to: path)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(!text.lowercased().contains("nan") && !text.lowercased().contains("inf"))
        #expect(text.contains(#""loss":null"#) && text.contains(#""gradient_norms":[null,1]"#))
        let records = try MetricsFile(reading: path).records
        guard case .step(let readStep) = records[1], case .end(let readEnd) = records[2] else {
            Issue.record("other records than were written")
            return
        }
        #expect(readStep.loss.isNaN && readStep.gradientNorms[0].isNaN)
        #expect(readStep.gradientNorms[1] == 1)
        #expect(readEnd.testAccuracy.isNaN && readEnd.testLoss.isNaN)
        #expect(readEnd.cause == end.cause && readEnd.divergedStep == 2)
    }

    @Test(arguments: [
        0, 0.1, 1, 100_000, 1e16, 1.0 / 3, 0.30000000000000004, .leastNonzeroMagnitude,
        .greatestFiniteMagnitude,
        -2.5,
    ])
    func numbersKeepEveryBit(value: Double) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        var epoch = Samples.epoch(1)
        epoch.trainLoss = value
        try write([.run(Samples.run()), .epoch(epoch)], to: path)
        #expect(try MetricsFile(reading: path).records.last == .epoch(epoch))
    }

    /// Cut after any byte: the whole lines remain, and what is dropped is said.
    @Test func toleratesEveryCut() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try write(Self.records, to: path)
        let whole = try Data(contentsOf: URL(filePath: path))
        let cutPath = folder.path + "/cut.jsonl"
        for count in 0..<whole.count {
            let cut = whole.prefix(count)
            try cut.write(to: URL(filePath: cutPath))
            let file = try MetricsFile(reading: cutPath)
            let newlines = cut.count { $0 == UInt8(ascii: "\n") }
            let rest = count - (cut.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)
            // A line that lacks nothing but its newline is whole.
            let isWhole = whole[count] == UInt8(ascii: "\n") && rest > 0
            #expect(file.records.count == newlines + (isWhole ? 1 : 0))
            #expect(file.cutOffByteCount == (isWhole ? 0 : rest))
        }
    }

    @Test(arguments: [
        (#"{"event":"step""#, "line 2: is not a JSON object"),
        (#"[1]"#, "line 2: "),
        (#"{"event":"jump",STAMP}"#, "line 2: holds an unknown value in “event”"),
        (#"{"event":"epoch",STAMP}"#, "line 2: lacks “epoch”"),
        (
            #"{"event":"epoch","epoch":"x",STAMP}"#,
            "line 2: holds a value of another kind in “epoch”"
        ),
        (#"{"event":"step"}"#, "line 2: lacks “dataset”"),
    ])
    func refusesABrokenLine(line: String, message: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try write([.run(Samples.run()), .step(Samples.step(1))], to: path)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let stamp =
            #""dataset":"mnist","dataset_sha256":"\#(Samples.provenance.datasetSHA256)","#
            + #""configuration_sha256":"\#(Samples.provenance.configurationSHA256)""#
        let broken = line.replacing("STAMP", with: stamp)
        try "\(lines[0])\n\(broken)\n\(lines[1])\n".write(
            toFile: path, atomically: true, encoding: .utf8)
        let error = try #require(throws: MetricsError.self) { try MetricsFile(reading: path) }
        #expect("\(error)".hasPrefix(path + ", " + message))
    }

    @Test func refusesLinesOutOfPlace() throws {
        let folder = try TemporaryFolder()
        let orders: [(records: [MetricsRecord], message: String)] = [
            ([.step(Samples.step(1))], "line 1: is not the start of a run"),
            ([.run(Samples.run()), .run(Samples.run())], "line 2: starts a run inside a run"),
            (
                [.run(Samples.run()), .end(Samples.end()), .step(Samples.step(1))],
                "line 3: follows the end of the run"
            ),
        ]
        for (index, order) in orders.enumerated() {
            let path = folder.path + "/\(index).jsonl"
            try write(order.records, to: path)
            let error = try #require(throws: MetricsError.self) { try MetricsFile(reading: path) }
            #expect("\(error)".contains(order.message))
        }
    }

    @Test func neverTouchesAnotherLog() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try write(Self.records, to: path)
        let error = #expect(throws: FileError.self) {
            try MetricsLog(creating: path, provenance: Samples.provenance)
        }
        #expect(error?.operation == .write && error?.path == path)
    }

    @Test func namesTheFileThatCannotBeWritten() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path + "/none/metrics.jsonl"
        let error = #expect(throws: FileError.self) {
            try MetricsLog(creating: missing, provenance: Samples.provenance)
        }
        #expect(error.map { "\($0)" }?.hasPrefix("cannot write \(missing): No such file") == true)
    }

    /// 18,750 lines beside a few seconds of training: five microseconds a line at most.
    @Test func aStepLineIsCheap() throws {
        let folder = try TemporaryFolder()
        let log = try MetricsLog(
            creating: folder.path + "/metrics.jsonl", provenance: Samples.provenance)
        try log.append(.run(Samples.run()))
        let count = 18_750
        // Time of this thread alone, and the least of three: the machine has other things to do.
        let times = try (0..<3).map { round in
            let start = threadNanoseconds()
            for index in 1...count {
                var record = Samples.step(round * count + index)
                record.loss = 1 / Float(index)
                record.gradientNorms = [3.3 * record.loss, 7.7 * record.loss]
                try log.append(.step(record))
            }
            return (threadNanoseconds() - start) / count
        }
        let nanoseconds = try #require(times.min())
        #expect(nanoseconds < 5000)
    }

    private func threadNanoseconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
