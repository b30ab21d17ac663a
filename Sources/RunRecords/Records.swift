package import Foundation

/// What a run was trained on and as: the part that every line of a log carries.
package struct Provenance: Codable, Equatable, Sendable {
    /// The data set's name, `mnist` or `synthetic-digits` for instance.
    package var dataset: String
    /// Over the four uncompressed payload files, lower-case hexadecimal.
    package var datasetSHA256: String
    /// Over all that shapes the weights, lower-case hexadecimal.
    package var configurationSHA256: String

    package init(dataset: String, datasetSHA256: String, configurationSHA256: String) {
        self.dataset = dataset
        self.datasetSHA256 = datasetSHA256
        self.configurationSHA256 = configurationSHA256
    }

    package enum CodingKeys: String, CodingKey {
        case dataset
        case datasetSHA256 = "dataset_sha256"
        case configurationSHA256 = "configuration_sha256"
    }
}

/// One line of `metrics.jsonl`; its `event` names the case.
package enum MetricsRecord: Equatable, Sendable {
    case run(RunRecord)
    case step(StepRecord)
    case evaluation(EvaluationRecord)
    case epoch(EpochRecord)
    case gap(GapRecord)
    case end(EndRecord)
}

/// The first line: what starts, where, and with which versions.
package struct RunRecord: Decodable, Equatable, Sendable {
    /// The configuration's name, `ce-softmax` for instance.
    package var configuration: String
    /// Every setting by its name in files.
    package var settings: [String: String]
    package var seed: UInt64
    package var placement: Placement
    /// Nil in logs of earlier versions.
    package var machine: Machine?
    /// Versions by component: `lockstep`, `arithmetic`, `libzmq`, …
    package var versions: [String: String]
    /// Written in UTC with whole seconds, after ISO 8601.
    package var started: Date

    package init(
        configuration: String, settings: [String: String], seed: UInt64, placement: Placement,
        versions: [String: String], started: Date, machine: Machine? = nil
    ) {
        self.configuration = configuration
        self.settings = settings
        self.seed = seed
        self.placement = placement
        self.versions = versions
        self.started = started
        self.machine = machine
    }

    package enum CodingKeys: String, CodingKey {
        case configuration, settings, seed, placement, machine, versions, started
    }
}

/// Where a run is recorded, as it begins; no part of the configuration.
package struct Machine: Codable, Equatable, Sendable {
    package var host: String
    /// That this process may use.
    package var cores: Int

    package init(host: String, cores: Int) {
        self.host = host
        self.cores = cores
    }

    package enum CodingKeys: String, CodingKey {
        case host, cores
    }
}

/// How many processes and threads trained; no part of the configuration.
package struct Placement: Codable, Equatable, Sendable {
    package var workers: Int
    package var threads: Int
    package var servers: Int

    package init(workers: Int, threads: Int, servers: Int) {
        self.workers = workers
        self.threads = threads
        self.servers = servers
    }

    package enum CodingKeys: String, CodingKey {
        case workers, threads, servers
    }
}

/// One optimiser update.
package struct StepRecord: Decodable, Equatable, Sendable {
    /// Counted from 1 over the whole run.
    package var step: Int
    /// Counted from 1.
    package var epoch: Int
    /// Mean over the global batch.
    @Measured package var loss: Float
    /// Share of the global batch that was classified correctly before the update; NaN where the
    /// outputs were not decoded this way in training.
    @Measured package var accuracy: Float
    package var learningRate: Double
    /// Of each layer, from input to output: root mean square over the micro-batches of the
    /// Euclidean norm of a micro-batch's mean gradient.
    @MeasuredByLayer package var gradientNorms: [Float]
    /// Euclidean norm of the global batch's mean gradient of each layer; empty where it was not
    /// measured.
    @MeasuredByLayerIfAtAll package var batchGradientNorms: [Float]
    /// Share of saturated units of each layer, from input to output.
    @MeasuredByLayer package var saturation: [Float]
    /// Of the weights after the update: a sum over them that every placement comes to, in
    /// hexadecimal. Nil where the log has none.
    package var weightsDigest: String?

    package init(
        step: Int, epoch: Int, loss: Float, accuracy: Float, learningRate: Double,
        gradientNorms: [Float], batchGradientNorms: [Float] = [], saturation: [Float],
        weightsDigest: String? = nil
    ) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.accuracy = accuracy
        self.learningRate = learningRate
        self.gradientNorms = gradientNorms
        self.batchGradientNorms = batchGradientNorms
        self.saturation = saturation
        self.weightsDigest = weightsDigest
    }

    package enum CodingKeys: String, CodingKey {
        case step, epoch, loss, accuracy
        case learningRate = "learning_rate"
        case gradientNorms = "gradient_norms"
        case batchGradientNorms = "batch_gradient_norms"
        case saturation
        case weightsDigest = "weights_digest"
    }
}

/// The network judged between epochs.
package struct EvaluationRecord: Decodable, Equatable, Sendable {
    package enum Split: String, Codable, Sendable {
        case train, validation, test
    }

    /// Updates done so far.
    package var step: Int
    /// Epochs done so far, a fraction between their ends.
    package var epoch: Double
    package var split: Split
    /// Mean over the split.
    @Measured package var loss: Double
    @Measured package var accuracy: Double
    /// With the other way to decode outputs; nil in logs of earlier versions.
    package var otherDecodingAccuracy: Double?
    /// The mean of ∂y/∂z over the outputs, and ‖∂loss/∂z‖ over ‖∂loss/∂y‖; nil with cross-entropy,
    /// in logs of earlier versions, and where they are not finite.
    package var errorPassed: Double?
    package var gradientPassed: Double?
    /// Training time since the start of the run, evaluations left out.
    package var seconds: Double

    package init(
        step: Int, epoch: Double, split: Split, loss: Double, accuracy: Double,
        otherDecodingAccuracy: Double? = nil, errorPassed: Double? = nil,
        gradientPassed: Double? = nil, seconds: Double
    ) {
        self.step = step
        self.epoch = epoch
        self.split = split
        self.loss = loss
        self.accuracy = accuracy
        self.otherDecodingAccuracy = otherDecodingAccuracy
        self.errorPassed = errorPassed
        self.gradientPassed = gradientPassed
        self.seconds = seconds
    }

    package enum CodingKeys: String, CodingKey {
        case step, epoch, split, loss, accuracy
        case otherDecodingAccuracy = "other_decoding_accuracy"
        case errorPassed = "error_passed"
        case gradientPassed = "gradient_passed"
        case seconds
    }
}

/// The end of an epoch. Train figures are running means over the epoch, as Keras' are.
package struct EpochRecord: Decodable, Equatable, Sendable {
    /// Counted from 1.
    package var epoch: Int
    /// Updates done so far.
    package var step: Int
    /// Examples that this epoch trained on.
    package var examples: Int
    /// Training time since the start of the run, evaluations left out.
    package var seconds: Double
    @Measured package var trainLoss: Double
    @Measured package var trainAccuracy: Double
    @Measured package var testLoss: Double
    @Measured package var testAccuracy: Double
    /// With the other way to decode outputs; nil in logs of earlier versions.
    package var otherDecodingTestAccuracy: Double?
    /// On the test set; see ``EvaluationRecord/errorPassed``.
    package var testErrorPassed: Double?
    package var testGradientPassed: Double?
    package var weightsSHA256: String

    package init(
        epoch: Int, step: Int, examples: Int, seconds: Double, trainLoss: Double,
        trainAccuracy: Double, testLoss: Double, testAccuracy: Double,
        otherDecodingTestAccuracy: Double? = nil, testErrorPassed: Double? = nil,
        testGradientPassed: Double? = nil, weightsSHA256: String
    ) {
        self.epoch = epoch
        self.step = step
        self.examples = examples
        self.seconds = seconds
        self.trainLoss = trainLoss
        self.trainAccuracy = trainAccuracy
        self.testLoss = testLoss
        self.testAccuracy = testAccuracy
        self.otherDecodingTestAccuracy = otherDecodingTestAccuracy
        self.testErrorPassed = testErrorPassed
        self.testGradientPassed = testGradientPassed
        self.weightsSHA256 = weightsSHA256
    }

    package enum CodingKeys: String, CodingKey {
        case epoch, step, examples, seconds
        case trainLoss = "train_loss"
        case trainAccuracy = "train_accuracy"
        case testLoss = "test_loss"
        case testAccuracy = "test_accuracy"
        case otherDecodingTestAccuracy = "other_decoding_test_accuracy"
        case testErrorPassed = "test_error_passed"
        case testGradientPassed = "test_gradient_passed"
        case weightsSHA256 = "weights_sha256"
    }
}

/// Lines that are missing: the disk was full for longer than they could be kept in memory.
package struct GapRecord: Decodable, Equatable, Sendable {
    /// The steps that the lines belonged to, counted from 1 as in theirs.
    package var firstStep: Int
    package var lastStep: Int

    package init(firstStep: Int, lastStep: Int) {
        self.firstStep = firstStep
        self.lastStep = lastStep
    }

    package enum CodingKeys: String, CodingKey {
        case firstStep = "first_step"
        case lastStep = "last_step"
    }
}
