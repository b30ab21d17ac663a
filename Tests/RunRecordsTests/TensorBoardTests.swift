import Formats
import Foundation
import Hashing
import RunRecords
import TestSupport
import Testing

@Suite struct TensorBoardTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(
        _ records: [MetricsRecord], checkpoints: [TensorBoardRun.Checkpoint] = []
    ) throws -> TensorBoardRun {
        let path = folder.path + "/metrics.jsonl"
        let log = try MetricsLog(creating: path, provenance: Samples.provenance)
        for record in records { try log.append(record) }
        log.flush()
        let file = try MetricsFile(reading: path)
        return try #require(
            TensorBoardRun(file, checkpoints: checkpoints, group: "ce-softmax-1234"))
    }

    /// The events of a file, every length and checksum proved.
    private func events(_ bytes: [UInt8]) throws -> [ProtobufReader] {
        func mask(_ bytes: ArraySlice<UInt8>) -> UInt32 {
            let checksum = CRC32C.checksum(bytes)
            return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
        }
        var events: [ProtobufReader] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let length: Int = littleEndian(rest.prefix(8))
            try #require(rest.count >= 16 + length)
            #expect(littleEndian(rest.dropFirst(8).prefix(4)) == mask(rest.prefix(8)))
            let data = rest.dropFirst(12).prefix(length)
            #expect(littleEndian(rest.dropFirst(12 + length).prefix(4)) == mask(data))
            events.append(try #require(ProtobufReader(Array(data))))
            rest = rest.dropFirst(16 + length)
        }
        return events
    }

    private func scalars(_ events: [ProtobufReader]) -> [String: [Int: Float]] {
        var scalars: [String: [Int: Float]] = [:]
        for event in events {
            for value in event.message(5)?.messages(1) ?? [] {
                guard let tag = value.text(1), let scalar = value.float(2) else { continue }
                scalars[tag, default: [:]][event.integers(2)[0]] = scalar
            }
        }
        return scalars
    }

    /// The record that TensorBoard 2.21's own writer begins with, at a wall time of 1.
    @Test func beginsAsTensorBoardsOwnFilesDo() throws {
        var record = Samples.run()
        record.started = Date(timeIntervalSince1970: 1)
        let bytes = try run([.run(record)]).encoded()
        let expected: [UInt8] = [
            0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xA3, 0x7F, 0x4B, 0x22, 0x09, 0x00,
            0x00, 0x00, 0x00, 0x00, 0x00, 0xF0, 0x3F, 0x1A, 0x0D, 0x62, 0x72, 0x61, 0x69, 0x6E,
            0x2E, 0x45, 0x76, 0x65, 0x6E, 0x74, 0x3A, 0x32, 0x86, 0xBF, 0x57, 0x7A,
        ]
        #expect(Array(bytes.prefix(expected.count)) == expected)
    }

    @Test func scalarsAreTheRecords() throws {
        let evaluation = EvaluationRecord(
            step: 937, epoch: 0.5, split: .validation, loss: 0.5, accuracy: 0.75, seconds: 0.5)
        let found = try scalars(
            events(
                run([
                    .run(Samples.run()), .step(Samples.step(1)), .evaluation(evaluation),
                    .step(Samples.step(1875)), .epoch(Samples.epoch(1)), .end(Samples.end()),
                ]).encoded()))
        let expected: [String: [Int: Float]] = [
            "step/loss": [1: 0.1, 1875: 0.1], "step/accuracy": [1: 0.9375, 1875: 0.9375],
            "step/learning_rate": [1: 0.001, 1875: 0.001],
            "gradient_norm/layer_0": [1: 0.25, 1875: 0.25],
            "gradient_norm/layer_1": [1: 1e-7, 1875: 1e-7],
            "saturation/layer_0": [1: 0.5, 1875: 0.5],
            "saturation/layer_1": [1: 0.125, 1875: 0.125],
            "evaluation/validation_loss": [937: 0.5], "evaluation/validation_accuracy": [937: 0.75],
            "epoch/train_loss": [1: 0.25], "epoch/train_accuracy": [1: 0.93],
            "epoch/test_loss": [1: 0.125], "epoch/test_accuracy": [1: 0.96],
            "end/test_loss": [3750: 0.125], "end/test_accuracy": [3750: 0.96],
        ]
        #expect(found == expected)
    }

    /// Steps have no time of their own in the log.
    @Test func timesOfStepsLieBetweenThoseOfEpochs() throws {
        let steps = [1, 1875, 1876, 2000, 3750, 3751]
        let events = try events(
            run(
                [.run(Samples.run())] + steps.map { .step(Samples.step($0)) } + [
                    .epoch(Samples.epoch(1, seconds: 3.75)),
                    .epoch(Samples.epoch(2, seconds: 5.625)),
                ]
            ).encoded())
        let found = events[2...].prefix(steps.count).compactMap { $0.double(1) }
        let seconds = [0.002, 3.75, 3.751, 3.875, 5.625, 5.625]
        #expect(zip(found, seconds).allSatisfy { abs($0 - 1_800_000_000 - $1) < 1e-5 })
        #expect(found.count == steps.count)
    }

    @Test(arguments: [(EndRecord.Status.completed, 1), (.target, 1), (.diverged, 2)])
    func theTableOfHyperparameters(status: EndRecord.Status, expected: Int) throws {
        var record = Samples.run(seed: 7)
        record.settings["seed"] = "7"
        let events = try events(run([.run(record), .end(Samples.end(status, seed: 7))]).encoded())
        let values = events.flatMap { $0.message(5)?.messages(1) ?? [] }
        func content(_ tag: String) throws -> ProtobufReader {
            let value = try #require(values.first { $0.text(1) == tag })
            let plugin = try #require(value.message(9, 1))
            #expect(plugin.text(1) == "hparams")
            return try #require(plugin.message(2))
        }
        let start = try #require(try content("_hparams_/session_start_info").message(3))
        #expect(start.text(4) == "ce-softmax-1234" && start.double(5) == 1_800_000_000)
        #expect(
            start.messages(1).map { $0.text(1) } == ["batch_size", "dataset", "hidden_activation"])
        let parameters = start.messages(1).map { $0.message(2) }
        #expect(parameters[0]?.double(2) == 32 && parameters[1]?.text(3) == "mnist")
        #expect(parameters[2]?.text(3) == "relu")
        let end = try #require(try content("_hparams_/session_end_info").message(4))
        #expect(end.integers(1) == [expected])
        #expect(end.double(2) == 1_800_000_000.3)
    }

    /// One that was interrupted may continue, and TensorBoard would keep its first end.
    @Test(arguments: [nil, EndRecord.Status.interrupted, .lost])
    func anUnfinishedRunHasNoEnd(status: EndRecord.Status?) throws {
        let end = status.map { [MetricsRecord.end(Samples.end($0))] } ?? []
        let bytes = try run([.run(Samples.run()), .step(Samples.step(1))] + end).encoded()
        let values = try events(bytes).flatMap { $0.message(5)?.messages(1) ?? [] }
        #expect(!values.contains { $0.text(1) == "_hparams_/session_end_info" })
        let text = try #require(values.first { $0.text(1) == "run" }?.message(8)?.text(8))
        #expect(!text.contains("status"))
        #expect(text.contains("| dataset_sha256 | \(Samples.provenance.datasetSHA256) |"))
    }

    @Test func histogramsAreOfTheCheckpoints() throws {
        let tensors = [Safetensors.Tensor(name: "layers.0.bias", shape: [3], values: [0, 1, 30])]
        let checkpoint = TensorBoardRun.Checkpoint(step: 8, tensors: tensors)
        let bytes = try run([.run(Samples.run())], checkpoints: [checkpoint]).encoded()
        let event = try #require(try events(bytes).last)
        let value = try #require(event.message(5, 1))
        #expect(event.integers(2) == [8] && value.text(1) == "weights/layers.0.bias")
        #expect(value.message(9, 1)?.text(1) == "histograms")
        let tensor = try #require(value.message(8))
        #expect(tensor.integers(1) == [2])
        #expect(tensor.message(2)?.messages(2).map { $0.integers(1) } == [[30], [3]])
        let content = try #require(tensor.all(4).first)
        let numbers = stride(from: 0, to: content.count, by: 8).map {
            Double(bitPattern: littleEndian(content[$0..<$0 + 8]))
        }
        #expect(numbers.count == 90)
        #expect(Array(numbers.prefix(6)) == [0, 1, 1, 1, 2, 1])
        #expect(Array(numbers.suffix(3)) == [29, 30, 1])
    }

    /// Writes the run for TensorBoard, its log being cut there first.
    private func export(
        _ records: [MetricsRecord], checkpoints: [TensorBoardRun.Checkpoint] = []
    ) throws -> (bytes: [UInt8], inode: UInt64) {
        let log = folder.path + "/metrics.jsonl"
        try? FileManager.default.removeItem(atPath: log)
        let path = folder.path + "/board/run"
        try run(records, checkpoints: checkpoints).write(toFolder: path)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: path)
                == ["events.out.tfevents.lockstep"])
        let file = path + "/events.out.tfevents.lockstep"
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        let inode = try #require(attributes[.systemFileNumber] as? UInt64)
        return (Array(try Data(contentsOf: URL(filePath: file))), inode)
    }

    /// A reader that has the file open continues behind what it has read: bytes that are there
    /// stay, and every event is there once, also where the run was interrupted, has gone back to a
    /// checkpoint and made its lines again, and where older checkpoints are gone.
    @Test func aFileGrowsWithItsRun() throws {
        let tensors = [Safetensors.Tensor(name: "layers.0.bias", shape: [2], values: [0, 1])]
        func checkpoint(_ step: Int) -> TensorBoardRun.Checkpoint {
            TensorBoardRun.Checkpoint(step: step, tensors: tensors)
        }
        let start: [MetricsRecord] = [.run(Samples.run()), .step(Samples.step(1))]
        let further = start + [.step(Samples.step(2)), .step(Samples.step(3))]
        let whole =
            further + [.step(Samples.step(1875)), .epoch(Samples.epoch(1)), .end(Samples.end())]
        let exports = try [
            export(start), export(start),
            export(
                further + [.end(Samples.end(.interrupted, epochs: 1))],
                checkpoints: [checkpoint(2), checkpoint(3)]),
            export(start), export(further, checkpoints: [checkpoint(3)]),
            export(whole, checkpoints: [checkpoint(3), checkpoint(1875)]),
        ]
        for (before, after) in zip(exports, exports.dropFirst()) {
            #expect(after.bytes.starts(with: before.bytes))
            #expect(after.inode == before.inode)
        }
        let events = try events(exports.last?.bytes ?? [])
        var points: [String: [Int]] = [:]
        for event in events {
            for value in event.message(5)?.messages(1) ?? [] {
                points[value.text(1) ?? "", default: []].append(event.integers(2)[0])
            }
        }
        #expect(points["step/loss"] == [1, 2, 3, 1875])
        #expect(points["epoch/test_loss"] == [1])
        #expect(points["weights/layers.0.bias"] == [2, 3, 1875])
        #expect(points["run"] == [0, 1875, 3750])
        #expect(points["end/test_accuracy"] == [1875, 3750])
        #expect(points["_hparams_/session_end_info"] == [3750])
    }

    /// What a crash has left of the last record is written over, and so is another run's file.
    @Test func whatIsNotOfTheRunIsReplaced() throws {
        let records: [MetricsRecord] = [.run(Samples.run()), .step(Samples.step(1))]
        let whole = try export(records).bytes
        let file = folder.path + "/board/run/events.out.tfevents.lockstep"
        for damaged in [whole.dropLast(3), whole + [1, 2, 3], whole.dropLast(40) + [0, 0, 0]] {
            try Data(damaged).write(to: URL(filePath: file))
            #expect(try export(records).bytes == whole)
        }
        var other = Samples.run(seed: 2)
        other.started += 60
        let fresh = try export([.run(other)]).bytes
        #expect(try events(fresh).count == 2)
        for foreign in [[], Array("letter".utf8), [UInt8](repeating: 0, count: 100)] {
            try Data(foreign).write(to: URL(filePath: file))
            #expect(try export(records).bytes == whole)
        }
    }
}

@Suite struct HistogramTests {
    @Test func everyFiniteValueIsInItsBucket() {
        let histogram = Histogram([-1, -0.51, -0.5, 0, 0.5, 1, .nan, .infinity], bucketCount: 4)
        #expect(histogram.buckets.map(\.count) == [2, 1, 1, 2])
        #expect(histogram.buckets.map(\.lowerEdge) == [-1, -0.5, 0, 0.5])
        #expect(histogram.buckets.map(\.upperEdge) == [-0.5, 0, 0.5, 1])
    }

    @Test(arguments: [[Float](), [2, 2, 2], [.nan]])
    func oneValueOrNoneHasNoWidth(values: [Float]) {
        let finite = values.filter(\.isFinite)
        let edge = Double(finite.first ?? 0)
        let bucket = Histogram.Bucket(lowerEdge: edge, upperEdge: edge, count: 0)
        let histogram = Histogram(values)
        #expect(histogram.buckets.dropLast().allSatisfy { $0 == bucket })
        #expect(histogram.buckets.count == 30)
        #expect(histogram.buckets.last?.count == finite.count)
    }
}
