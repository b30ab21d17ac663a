import Foundation
package import RunRecords

/// Values that several tests share.
package enum Samples {
    package static let provenance = Provenance(
        dataset: "mnist", datasetSHA256: String(repeating: "d1", count: 32),
        configurationSHA256: String(repeating: "c0", count: 32))

    package static func run(_ configuration: String = "ce-softmax", seed: UInt64 = 1) -> RunRecord {
        RunRecord(
            configuration: configuration,
            settings: ["batch_size": "32", "hidden_activation": "relu"],
            seed: seed, placement: Placement(workers: 2, threads: 1, servers: 1),
            versions: ["lockstep": "0.1"], started: Date(timeIntervalSince1970: 1_800_000_000))
    }

    package static func step(_ step: Int, epoch: Int = 1) -> StepRecord {
        StepRecord(
            step: step, epoch: epoch, loss: 0.1, accuracy: 0.9375, learningRate: 0.001,
            gradientNorms: [0.25, 1e-7], saturation: [0.5, 0.125])
    }

    package static func epoch(
        _ epoch: Int, testAccuracy: Double = 0.96, seconds: Double = 1.5
    ) -> EpochRecord {
        EpochRecord(
            epoch: epoch, step: epoch * 1875, examples: 60_000, seconds: seconds, trainLoss: 0.25,
            trainAccuracy: 0.93, testLoss: 0.125, testAccuracy: testAccuracy,
            weightsSHA256: String(repeating: "ab", count: 32))
    }

    package static func end(
        _ status: EndRecord.Status = .completed, configuration: String = "ce-softmax",
        provenance: Provenance = provenance, seed: UInt64 = 1, epochs: Int = 2,
        testAccuracy: Double = 0.96, testLoss: Double = 0.125,
        examplesPerSecond: Double = 412_345.6,
        weightsSHA256: String = String(repeating: "ab", count: 32), cause: String? = nil,
        divergedStep: Int? = nil, changed: Int? = nil, compared: Int? = nil
    ) -> EndRecord {
        EndRecord(
            status: status, configuration: configuration, provenance: provenance, seed: seed,
            placement: Placement(workers: 2, threads: 1, servers: 1), batchSize: 32,
            steps: epochs * 1875, epochs: epochs, testAccuracy: testAccuracy, testLoss: testLoss,
            seconds: Double(epochs) * 0.15, examplesPerSecond: examplesPerSecond,
            weightsSHA256: weightsSHA256, cause: cause, divergedStep: divergedStep,
            rescalingChangedDecisions: changed, rescalingComparedDecisions: compared)
    }

    /// A run of ten epochs at most with the given test accuracies.
    package static func outcome(
        _ configuration: String, seed: UInt64 = 1, accuracies: [Double],
        status: EndRecord.Status = .completed, saturation: [Float] = [0.05, 0.4],
        cause: String? = nil, divergedStep: Int? = nil, changed: Int? = nil, compared: Int? = nil
    ) -> RunOutcome {
        var provenance = provenance
        provenance.configurationSHA256 = String(
            repeating: ["ce-softmax": "e5", "mse-tanh": "7a"][configuration] ?? "b4", count: 32)
        var outcome = RunOutcome(run: run(configuration, seed: seed), provenance: provenance)
        for (index, accuracy) in accuracies.enumerated() {
            var record = step(index * 1875 + 1, epoch: index + 1)
            record.saturation = saturation
            outcome.add(.step(record))
            outcome.add(
                .epoch(epoch(index + 1, testAccuracy: accuracy, seconds: Double(index + 1) * 0.15)))
        }
        outcome.add(
            .end(
                end(
                    status, configuration: configuration, provenance: provenance, seed: seed,
                    epochs: accuracies.count, testAccuracy: accuracies.last ?? .nan,
                    testLoss: configuration == "ce-softmax" ? 0.08 : 0.0085,
                    weightsSHA256: String(repeating: "\(seed)f", count: 32), cause: cause,
                    divergedStep: divergedStep, changed: changed, compared: compared)))
        return outcome
    }

    /// Keras' curves of the seed's scripts, seed 1, in rounded figures.
    package static let mseAccuracies = [
        0.9436, 0.9542, 0.9599, 0.9616, 0.9639, 0.9651, 0.9656, 0.966, 0.966, 0.9667,
    ]
    package static let crossEntropyAccuracies = [
        0.9577, 0.9671, 0.9731, 0.9732, 0.9757, 0.9766, 0.9774, 0.9767, 0.9790, 0.9781,
    ]
}
