import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import Synchronization
import TerminalText
import TestSupport
import TrainingPlan

/// Runs that are interrupted and continue, and what is compared of them.
struct ResumedRuns {
    let folder: TemporaryFolder
    /// Moves no bit and no line: as many checkpoints as the disk takes.
    static let checkpoints = CheckpointPolicy(seconds: 5e-3, keep: 2)

    init() throws { folder = try TemporaryFolder() }

    static func configuration(
        _ kind: OptimizerSettings.Kind = .adam, epochs: Int = 4, batchSize: Int = 32
    ) -> RunConfiguration {
        var configuration = RunConfiguration(preset: .ceSoftmax)
        configuration.architecture.layers = [784, 16, 10]
        configuration.optimizer.kind = kind
        configuration.batchSize = batchSize
        configuration.epochs = epochs
        return configuration
    }

    func directory(_ name: String) -> RunDirectory { RunDirectory(path: folder.path(name)) }

    /// A run in its folder as any command plans it: new, or continuing.
    func planned(
        _ configuration: RunConfiguration, _ name: String, notice: (String) -> Void = { _ in }
    ) throws -> PlannedRun {
        var run = PlannedRun(
            configuration, directory: directory(name), stepLineInterval: 3,
            checkpoints: Self.checkpoints)
        let opening = try RunDirectory.open(
            run.directory.path, configuration: configuration.name, seed: configuration.seed,
            configurationSHA256: configuration.sha256(dataset: SmallDigits.dataset))
        if case .unfinished = opening {
            try run.resume(dataset: SmallDigits.dataset, notice: notice)
        }
        return run
    }

    func request(_ run: PlannedRun) -> SessionRequest {
        SessionRequest(
            runs: [run], dataset: SmallDigits.dataset,
            placement: SessionPlacement(workers: 0), kernels: .baseline,
            waitTimeoutMilliseconds: 1_000)
    }

    @discardableResult
    func train(
        _ configuration: RunConfiguration, _ name: String, observer: Witness = Witness(),
        interruption: Interruption = Interruption()
    ) throws -> RunOutcome? {
        let run = try planned(configuration, name)
        return Roles.trainHere(request(run), observer: observer, interruption: interruption)
            .outcomes.first
    }

    /// All lines but their times.
    func lines(_ name: String) throws -> [MetricsRecord] {
        try MetricsFile(reading: directory(name).metricsPath).records.map(\.withoutTimes)
    }

    /// The files of a folder but the log, with their bytes.
    func files(_ name: String) throws -> [String: Data] {
        let path = directory(name).path
        var files: [String: Data] = [:]
        for file in try FileManager.default.subpathsOfDirectory(atPath: path) {
            guard file != "metrics.jsonl" else { continue }
            files[file] = FileManager.default.contents(atPath: "\(path)/\(file)")
        }
        return files
    }

    /// Is told of a run's epochs, and of sentences.
    final class Witness: SessionObserver {
        private let texts = Mutex<[String]>([])
        private let atEpochEnd: @Sendable (EpochRecord) -> Void

        init(atEpochEnd: @escaping @Sendable (EpochRecord) -> Void = { _ in }) {
            self.atEpochEnd = atEpochEnd
        }

        var notices: [String] { texts.withLock { $0 } }

        func notice(_ text: String) { texts.withLock { $0.append(text) } }
        func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {}
        func progress(_ progress: RunProgress) {}
        func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {
            atEpochEnd(record)
        }
        func runEnded(_ outcome: RunOutcome) {}
    }
}

extension MetricsRecord {
    /// What a run records again when it is done again.
    var withoutTimes: MetricsRecord {
        switch self {
        case .run(var record):
            record.started = .distantPast
            return .run(record)
        case .evaluation(var record):
            record.seconds = 0
            return .evaluation(record)
        case .epoch(var record):
            record.seconds = 0
            return .epoch(record)
        case .end(var record):
            record.seconds = 0
            record.examplesPerSecond = 0
            return .end(record)
        case .step, .gap: return self
        }
    }
}
