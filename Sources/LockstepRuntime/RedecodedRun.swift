package import Datasets
import Formats
import Foundation
package import RunRecords
package import TrainingPlan

/// A run that differs from another one only in how outputs become a decision: its weights are the
/// same bits, so it is not trained. Its records follow from those of the other run, in which every
/// evaluation has the accuracy with both decodings; its end says so in `weights_from`.
///
/// Decisions in training were made with the other decoding only: the training accuracies of this
/// run were not measured, and are null.
package struct RedecodedRun: Sendable {
    package let configuration: RunConfiguration
    package let directory: RunDirectory

    package init(_ configuration: RunConfiguration, directory: RunDirectory) {
        self.configuration = configuration
        self.directory = directory
    }

    /// The runs that have the weights of one before and differ in their decisions only: their
    /// places, each with the place of that one. With a target accuracy decisions say when training
    /// ends.
    package static func sources(of runs: [RunConfiguration]) -> [Int: Int] {
        var trained: [RunConfiguration: Int] = [:]
        var sources: [Int: Int] = [:]
        for (index, run) in runs.enumerated() where run.targetAccuracy == nil {
            var network = run
            network.name = ""
            network.architecture.decoding = .plain
            guard let source = trained[network] else {
                trained[network] = index
                continue
            }
            if runs[source].architecture.decoding != run.architecture.decoding {
                sources[index] = source
            }
        }
        return sources
    }

    /// Whether the log of a run, as far as it goes, has all accuracies with both decodings; those
    /// of earlier versions have not.
    package static func isRecorded(in directory: RunDirectory) throws -> Bool {
        try MetricsFile(reading: directory.metricsPath).records.allSatisfy { record in
            switch record {
            case .evaluation(let record): record.otherDecodingAccuracy != nil
            case .epoch(let record): record.otherDecodingTestAccuracy != nil
            case .end(let record): record.otherDecodingTestAccuracy != nil
            case .run, .step, .gap: true
            }
        }
    }

    /// Writes the records and, where the other run has them, the weights.
    ///
    /// - Parameter source: of the other run, which has come to an end of its own. The directory of
    ///   this one has no log.
    /// - Throws: ``FileError``, ``MetricsError`` or ``SafetensorsError``.
    package func write(from source: RunDirectory, dataset: Dataset) throws -> RunOutcome {
        let records = try MetricsFile(reading: source.metricsPath).records
        let provenance = configuration.provenance(dataset: dataset)
        if let newest = source.checkpoints.last {
            var file = try Safetensors(reading: newest.path)
            for (name, text) in configuration.settings { file.metadata[name] = text }
            if configuration.settings[RunConfiguration.Key.preset.rawValue] == nil {
                file.metadata[RunConfiguration.Key.preset.rawValue] = nil
            }
            file.metadata["configuration_sha256"] = provenance.configurationSHA256
            _ = try directory.writeCheckpoint(
                step: newest.step, file: RunDirectory.weightsName, file.encoded())
        }
        let log = try MetricsLog(creating: directory.metricsPath, provenance: provenance)
        var outcome: RunOutcome?
        for record in records {
            let own = redecoded(record, provenance)
            if case .run(let run) = own { outcome = RunOutcome(run: run, provenance: provenance) }
            outcome?.add(own)
            try log.append(own)
        }
        guard let outcome else {
            throw MetricsError(path: source.metricsPath, line: 1, reason: "is not a run")
        }
        return outcome
    }

    private func redecoded(_ record: MetricsRecord, _ provenance: Provenance) -> MetricsRecord {
        switch record {
        case .run(var run):
            run.configuration = configuration.name
            run.settings = configuration.settings
            return .run(run)
        case .step(var step):
            step.accuracy = .nan
            return .step(step)
        case .evaluation(var evaluation):
            let accuracy = evaluation.accuracy
            evaluation.accuracy = evaluation.otherDecodingAccuracy ?? .nan
            evaluation.otherDecodingAccuracy = accuracy
            return .evaluation(evaluation)
        case .epoch(var epoch):
            epoch.trainAccuracy = .nan
            let testAccuracy = epoch.testAccuracy
            epoch.testAccuracy = epoch.otherDecodingTestAccuracy ?? .nan
            epoch.otherDecodingTestAccuracy = testAccuracy
            return .epoch(epoch)
        case .gap: return record
        case .end(var end):
            end.weightsFrom = end.configurationSHA256
            end.configuration = configuration.name
            end.configurationSHA256 = provenance.configurationSHA256
            let testAccuracy = end.testAccuracy
            end.testAccuracy = end.otherDecodingTestAccuracy ?? .nan
            end.otherDecodingTestAccuracy = testAccuracy
            return .end(end)
        }
    }
}
