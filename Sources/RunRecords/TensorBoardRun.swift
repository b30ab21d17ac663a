package import Formats
import Foundation

/// A run as TensorBoard shows it: its records as scalars, its checkpoints as histograms, its
/// configuration as a row of the HParams table.
///
/// Tags: `step/…`, `gradient_norm/layer_N` and `saturation/layer_N` over steps, `evaluation/…` over
/// the steps between epochs, `epoch/…` over epochs, `end/…` at the last step, `weights/…` over the
/// steps of the checkpoints, and `run`, a text at the start and at each end.
package struct TensorBoardRun: Sendable {
    package struct Checkpoint: Equatable, Sendable {
        /// Updates done.
        package var step: Int
        package var tensors: [Safetensors.Tensor]

        package init(step: Int, tensors: [Safetensors.Tensor]) {
            self.step = step
            self.tensors = tensors
        }
    }

    private let run: RunRecord
    private let provenance: Provenance
    private let records: [MetricsRecord]
    private let checkpoints: [Checkpoint]
    private let group: String

    /// - Parameter group: the same for runs that differ in their seed only.
    /// - Returns: nil where the log holds no whole line.
    package init?(_ log: MetricsFile, checkpoints: [Checkpoint], group: String) {
        guard let provenance = log.provenance, case .run(let run) = log.records.first else {
            return nil
        }
        self.run = run
        self.provenance = provenance
        records = log.records
        self.checkpoints = checkpoints
        self.group = group
    }

    /// TensorBoard knows its files by the `tfevents` in their names. With one name a run has one
    /// file, however often it is exported.
    package static let fileName = "events.out.tfevents.lockstep"

    /// Puts the file into a folder of the run's own, made where it is missing. An older file of
    /// this run grows by what is new, so that a TensorBoard that has it open finds that; one of
    /// another run is replaced.
    package func write(toFolder path: String) throws(FileError) {
        try Files.makeFolders(path)
        let file = "\(path)/\(Self.fileName)"
        let events = events
        if let older = try? Files.read(file),
            let growth = events.growth(of: older, head: Self.headCount)
        {
            try Files.extend(file, from: growth.keptByteCount, with: growth.bytes)
        } else {
            try Files.replace(file, with: events.bytes)
        }
    }

    /// The version of the file, and the event that tells which run it is of and when that started.
    private static let headCount = 2

    /// The file's bytes, the same for equal values.
    package func encoded() -> [UInt8] { events.bytes }

    /// In the order of the log, so that a log that has grown has the same events and more.
    private var events: TensorBoardEvents {
        let start = run.started.timeIntervalSince1970
        var clock = TrainingClock(records)
        var events = TensorBoardEvents(wallTime: start)
        events.add(step: 0, wallTime: start) { values in
            values.add(text: "run", description)
            values.add(hyperparameters: "_hparams_/session_start_info", addSessionStart)
        }
        for record in records {
            switch record {
            case .run, .gap: break
            case .step(let record):
                let time = start + clock.seconds(atStep: record.step)
                events.add(step: record.step, wallTime: time) { Self.add(record, to: &$0) }
            case .evaluation(let record):
                events.add(step: record.step, wallTime: start + record.seconds) { values in
                    let tag = "evaluation/\(record.split.rawValue)"
                    values.add(scalar: "\(tag)_loss", Float(record.loss))
                    values.add(scalar: "\(tag)_accuracy", Float(record.accuracy))
                }
            case .epoch(let record):
                events.add(step: record.epoch, wallTime: start + record.seconds) { values in
                    values.add(scalar: "epoch/train_loss", Float(record.trainLoss))
                    values.add(scalar: "epoch/train_accuracy", Float(record.trainAccuracy))
                    values.add(scalar: "epoch/test_loss", Float(record.testLoss))
                    values.add(scalar: "epoch/test_accuracy", Float(record.testAccuracy))
                }
            case .end(let record):
                let time = start + record.seconds
                events.add(step: record.steps, wallTime: time) { values in
                    // A run that reached its target has no epoch's figures for its end.
                    values.add(scalar: "end/test_loss", Float(record.testLoss))
                    values.add(scalar: "end/test_accuracy", Float(record.testAccuracy))
                    values.add(text: "run", ending(record))
                    // Another end may follow, and TensorBoard keeps the first that it reads.
                    guard record.status.isFinal else { return }
                    values.add(hyperparameters: "_hparams_/session_end_info") {
                        Self.addSessionEnd(record.status, at: time, to: &$0)
                    }
                }
            }
        }
        clock = TrainingClock(records)
        for checkpoint in checkpoints.sorted(by: { $0.step < $1.step }) {
            let time = start + clock.seconds(atStep: checkpoint.step)
            events.add(step: checkpoint.step, wallTime: time) { values in
                for tensor in checkpoint.tensors {
                    values.add(histogram: "weights/\(tensor.name)", Histogram(tensor.values))
                }
            }
        }
        return events
    }

    private static func add(_ record: StepRecord, to values: inout TensorBoardValues) {
        values.add(scalar: "step/loss", record.loss)
        values.add(scalar: "step/accuracy", record.accuracy)
        values.add(scalar: "step/learning_rate", Float(record.learningRate))
        for (layer, norm) in record.gradientNorms.enumerated() {
            values.add(scalar: "gradient_norm/layer_\(layer)", norm)
        }
        for (layer, share) in record.saturation.enumerated() {
            values.add(scalar: "saturation/layer_\(layer)", share)
        }
    }

    /// What a run is trained on and as, in a table of Markdown.
    private var description: String {
        Self.table([
            ("configuration", run.configuration), ("seed", "\(run.seed)"),
            ("dataset", provenance.dataset), ("dataset_sha256", provenance.datasetSHA256),
            ("configuration_sha256", provenance.configurationSHA256),
        ])
    }

    /// How it ended, in another.
    private func ending(_ end: EndRecord) -> String {
        Self.table(
            [("status", end.status.rawValue), ("weights_sha256", end.weightsSHA256)]
                + (end.cause.map { [("cause", $0)] } ?? []))
    }

    private static func table(_ rows: [(String, String)]) -> String {
        "| | |\n| --- | --- |\n"
            + rows.map { "| \($0) | \($1.replacing("|", with: "\\|")) |\n" }.joined()
    }

    /// `SessionStartInfo` of the HParams plugin (plugin_data.proto). The seed tells the runs of a
    /// group apart and is none of their common parameters.
    private func addSessionStart(to data: inout ProtobufWriter) {
        var parameters = run.settings
        parameters["seed"] = nil
        parameters["dataset"] = provenance.dataset
        data.add(3) { session in
            for (name, text) in parameters.sorted(by: { $0.key < $1.key }) {
                session.add(1) { entry in
                    entry.add(1, name)
                    entry.add(2) { value in
                        if let number = Double(text), number.isFinite {
                            value.add(2, number)
                        } else {
                            value.add(3, text)
                        }
                    }
                }
            }
            session.add(4, group)
            session.add(5, run.started.timeIntervalSince1970)
        }
    }

    /// `SessionEndInfo`. A diverged run is a result, but no success in the words of the table.
    private static func addSessionEnd(
        _ status: EndRecord.Status, at time: Double, to data: inout ProtobufWriter
    ) {
        let (success, failure) = (1, 2)
        data.add(4) { session in
            session.add(1, status.isResult ? success : failure)
            session.add(2, time)
        }
    }
}

/// When each step was done, in seconds of training since the start: as logged at evaluations and
/// ends of epochs, and evenly spread between them. Asked in ascending order of steps.
private struct TrainingClock {
    private let points: [(step: Int, seconds: Double)]
    private var next = 0

    init(_ records: [MetricsRecord]) {
        points = records.compactMap { record in
            switch record {
            case .run, .step, .gap: nil
            case .evaluation(let record): (record.step, record.seconds)
            case .epoch(let record): (record.step, record.seconds)
            case .end(let record): (record.steps, record.seconds)
            }
        }
    }

    mutating func seconds(atStep step: Int) -> Double {
        while next < points.count, points[next].step < step { next += 1 }
        let before = next == 0 ? (step: 0, seconds: 0) : points[next - 1]
        guard next < points.count, points[next].step > before.step else { return before.seconds }
        let after = points[next]
        let share = Double(step - before.step) / Double(after.step - before.step)
        return before.seconds + share * (after.seconds - before.seconds)
    }
}
