/// The last line, and what `--json` prints.
package struct EndRecord: Decodable, Equatable, Sendable {
    package enum Status: String, Codable, CaseIterable, Sendable {
        /// All epochs done.
        case completed
        /// The accuracy asked for was reached.
        case target
        /// A mean gradient, state or weight was no longer finite; the last finite weights remain.
        case diverged
        /// A signal ended it.
        case interrupted
        /// A peer was lost.
        case lost

        /// Whether the same run, started again, would come to the same end.
        package var isFinal: Bool {
            switch self {
            case .completed, .target, .diverged: true
            case .interrupted, .lost: false
            }
        }

        /// Whether the run ended as it was meant to, so that its last figures count.
        package var isResult: Bool {
            switch self {
            case .completed, .target: true
            case .diverged, .interrupted, .lost: false
            }
        }
    }

    package var status: Status
    package var configuration: String
    package var configurationSHA256: String
    package var dataset: String
    package var datasetSHA256: String
    package var seed: UInt64
    package var workers: Int
    package var threads: Int
    package var servers: Int
    /// The global batch.
    package var batchSize: Int
    /// Updates done; those of a run that ended early are the ones that count.
    package var steps: Int
    /// Whole epochs done.
    package var epochs: Int
    @Measured package var testAccuracy: Double
    @Measured package var testLoss: Double
    /// Training time, evaluations left out.
    package var seconds: Double
    /// That of the fastest epoch, training time only.
    @Measured package var examplesPerSecond: Double
    package var weightsSHA256: String
    /// The configuration's SHA-256 of the run that was trained to these weights, where this one
    /// only decodes their outputs in another way; its times are those of that run. Nil where this
    /// run was trained itself.
    package var weightsFrom: String?
    /// Why a run did not complete, for a person.
    package var cause: String?
    /// The step whose update would not have been finite.
    package var divergedStep: Int?
    /// Decisions that differ between plain and rescaled outputs, of those compared.
    package var rescalingChangedDecisions: Int?
    package var rescalingComparedDecisions: Int?
    /// With the other way to decode outputs; nil in logs of earlier versions.
    package var otherDecodingTestAccuracy: Double?
    /// Runs that were trained at a time on this machine, this one included, at most; what it took
    /// in seconds is its own where that is 1. Nil in logs of earlier versions.
    package var parallelism: Int?

    package init(
        status: Status, configuration: String, provenance: Provenance, seed: UInt64,
        placement: Placement, batchSize: Int, steps: Int, epochs: Int, testAccuracy: Double,
        testLoss: Double, seconds: Double, examplesPerSecond: Double, weightsSHA256: String,
        cause: String? = nil, divergedStep: Int? = nil, rescalingChangedDecisions: Int? = nil,
        rescalingComparedDecisions: Int? = nil, otherDecodingTestAccuracy: Double? = nil,
        parallelism: Int? = nil
    ) {
        self.status = status
        self.configuration = configuration
        configurationSHA256 = provenance.configurationSHA256
        dataset = provenance.dataset
        datasetSHA256 = provenance.datasetSHA256
        self.seed = seed
        workers = placement.workers
        threads = placement.threads
        servers = placement.servers
        self.batchSize = batchSize
        self.steps = steps
        self.epochs = epochs
        self.testAccuracy = testAccuracy
        self.testLoss = testLoss
        self.seconds = seconds
        self.examplesPerSecond = examplesPerSecond
        self.weightsSHA256 = weightsSHA256
        self.cause = cause
        self.divergedStep = divergedStep
        self.rescalingChangedDecisions = rescalingChangedDecisions
        self.rescalingComparedDecisions = rescalingComparedDecisions
        self.otherDecodingTestAccuracy = otherDecodingTestAccuracy
        self.parallelism = parallelism
    }

    package var provenance: Provenance {
        Provenance(
            dataset: dataset, datasetSHA256: datasetSHA256, configurationSHA256: configurationSHA256
        )
    }

    package var placement: Placement {
        Placement(workers: workers, threads: threads, servers: servers)
    }

    package enum CodingKeys: String, CodingKey {
        case status, configuration
        case configurationSHA256 = "configuration_sha256"
        case dataset
        case datasetSHA256 = "dataset_sha256"
        case seed, workers, threads, servers
        case batchSize = "batch_size"
        case steps, epochs
        case testAccuracy = "test_accuracy"
        case testLoss = "test_loss"
        case seconds
        case examplesPerSecond = "examples_per_second"
        case weightsSHA256 = "weights_sha256"
        case weightsFrom = "weights_from"
        case cause
        case divergedStep = "diverged_step"
        case rescalingChangedDecisions = "rescaling_changed_decisions"
        case rescalingComparedDecisions = "rescaling_compared_decisions"
        case otherDecodingTestAccuracy = "other_decoding_test_accuracy"
        case parallelism
    }
}
