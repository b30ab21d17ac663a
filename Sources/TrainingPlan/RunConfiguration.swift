/// The version of the arithmetic of record: it changes when the same configuration would give other
/// bits. Processes with different versions never train together.
package let arithmeticVersion = 1

/// Everything that shapes the bits of a run. Placement (workers, threads, servers) is not part of
/// it.
///
/// Each setting has the name of its flag; see ``Key``. The defaults are the seed's.
package struct RunConfiguration: Hashable, Sendable {
    /// What people call it: a preset's name, or `custom`. The only field outside the hash, so that
    /// a preset spelled out in flags is the same configuration.
    package var name: String
    package var architecture: NetworkArchitecture
    package var optimizer: OptimizerSettings
    /// The global batch: the examples of a step, whatever the worker count.
    package var batchSize: Int
    /// The examples of a leaf; nil for the default. See ``effectiveMicroBatch``.
    package var microBatch: Int?
    package var epochs: Int
    package var seed: UInt64
    /// The run ends at the first evaluation that reaches this share of right decisions, in (0, 1].
    package var targetAccuracy: Double?
    /// The last so many training examples are held out, and evaluations are on them.
    package var validationExamples: Int
    /// Evaluations after every so many steps, besides those at the ends of epochs.
    package var evaluateEvery: Int?

    package init(
        name: String = "custom",
        architecture: NetworkArchitecture = Preset.ceSoftmax.architecture,
        optimizer: OptimizerSettings = .init(), batchSize: Int = 32, microBatch: Int? = nil,
        epochs: Int = 10, seed: UInt64 = 1, targetAccuracy: Double? = nil,
        validationExamples: Int = 0, evaluateEvery: Int? = nil
    ) {
        self.name = name
        self.architecture = architecture
        self.optimizer = optimizer
        self.batchSize = batchSize
        self.microBatch = microBatch
        self.epochs = epochs
        self.seed = seed
        self.targetAccuracy = targetAccuracy
        self.validationExamples = validationExamples
        self.evaluateEvery = evaluateEvery
    }

    /// The configuration of `preset` with the seed's defaults for everything else.
    package init(preset: Preset) {
        self.init(name: preset.rawValue, architecture: preset.architecture)
    }

    /// The examples of a leaf: as set, or max(16, ⌈batch / 64⌉), at most the batch.
    package var effectiveMicroBatch: Int {
        microBatch ?? min(batchSize, max(16, (batchSize + 63) / 64))
    }

    package var layout: ParameterLayout { ParameterLayout(widths: architecture.layers) }
}

extension RunConfiguration {
    /// The named configurations of `--preset`: the seed's three.
    package enum Preset: String, CaseIterable, Sendable {
        case mseTanh = "mse-tanh"
        case mseTanhRescaled = "mse-tanh-rescaled"
        case ceSoftmax = "ce-softmax"

        /// Where nothing else is said.
        package static let standard = ceSoftmax

        package var architecture: NetworkArchitecture {
            switch self {
            case .mseTanh:
                NetworkArchitecture(hidden: .tanh, output: .tanh, loss: .mse)
            case .mseTanhRescaled:
                NetworkArchitecture(hidden: .tanh, output: .tanh, loss: .mse, decoding: .rescaled)
            case .ceSoftmax:
                NetworkArchitecture(hidden: .relu, output: .softmax, loss: .crossEntropy)
            }
        }
    }
}
