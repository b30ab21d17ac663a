/// A setting that cannot be trained with: which, its value, why, and what to do.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    package let setting: RunConfiguration.Key
    package let value: String
    package let reason: String
    package let remedy: String

    package var description: String { "\(setting.flag) \(value): \(reason); \(remedy)" }
}

/// The width of a data set's examples, and the count of its classes.
package struct ExampleShape: Hashable, Sendable {
    package var pixels: Int
    package var classes: Int

    package init(pixels: Int, classes: Int) {
        self.pixels = pixels
        self.classes = classes
    }

    /// Images of 28 × 28 pixels, and ten digits.
    package static let digits = ExampleShape(pixels: 784, classes: 10)
}

extension RunConfiguration {
    /// Throws the first setting that cannot be trained with.
    ///
    /// - Parameter trainingExampleCount: the training examples of the data set, those included that
    ///   `--validation-examples` holds out.
    package func validate(
        trainingExampleCount: Int, examples: ExampleShape = .digits
    ) throws(ConfigurationError) {
        try validateName()
        try validateLayers(examples)
        try validateActivations()
        try validateOptimizer()
        try validateBatches(trainingExampleCount: trainingExampleCount)
        try validateLength()
    }

    private func refuse(
        _ setting: Key, _ reason: String, _ remedy: String
    ) throws(ConfigurationError) -> Never {
        throw ConfigurationError(
            setting: setting, value: text(of: setting) ?? "(not set)", reason: reason,
            remedy: remedy)
    }

    private func validateName() throws(ConfigurationError) {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        if !allowed || name.isEmpty || name.utf8.count > SettingLimits.maximumNameLength {
            throw ConfigurationError(
                setting: .preset, value: name,
                reason:
                    "a name has 1 to \(SettingLimits.maximumNameLength) letters, digits, dashes "
                    + "and underscores",
                remedy: "give one of \(Preset.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    private func validateLayers(_ examples: ExampleShape) throws(ConfigurationError) {
        let layers = architecture.layers
        if layers.count < 2 || layers.count > SettingLimits.maximumLayers {
            try refuse(
                .layers,
                "a network has 2 to \(SettingLimits.maximumLayers) widths, input and output "
                    + "included, and these are \(layers.count)", "give e.g. 784,128,10")
        }
        if let width = layers.first(where: { $0 < 1 || $0 > SettingLimits.maximumLayerWidth }) {
            try refuse(
                .layers, "a width of \(width) is outside 1 to \(SettingLimits.maximumLayerWidth)",
                "give e.g. 784,128,10")
        }
        if layers.first != examples.pixels {
            try refuse(
                .layers, "the images have \(examples.pixels) pixels",
                "let the first width be \(examples.pixels)")
        }
        if layers.last != examples.classes {
            try refuse(
                .layers, "there are \(examples.classes) classes",
                "let the last width be \(examples.classes)")
        }
        // 63 products below 2³³ each cannot overflow.
        let parameterCount = layout.parameterCount
        if parameterCount > SettingLimits.maximumParameterCount {
            try refuse(
                .layers,
                "these widths make \(parameterCount) parameters, and the most is "
                    + "\(SettingLimits.maximumParameterCount)", "use smaller or fewer layers")
        }
    }

    private func validateActivations() throws(ConfigurationError) {
        if architecture.hidden == .softmax {
            try refuse(
                .hiddenActivation, "softmax is for the output layer only",
                "use tanh, relu or sigmoid")
        }
        guard architecture.loss == .crossEntropy else { return }
        switch architecture.output {
        case .softmax, .sigmoid: break
        case .tanh, .relu, .identity:
            try refuse(
                .outputActivation,
                "cross-entropy takes the logarithm of an output, which must lie between 0 and 1",
                "use softmax or sigmoid, or --loss mse")
        }
        if architecture.targets == .plusMinusOne {
            try refuse(
                .targets, "cross-entropy compares probabilities, and −1 is none",
                "use zero-one, or --loss mse")
        }
    }

    private func validateOptimizer() throws(ConfigurationError) {
        if !isRate(optimizer.learningRate) {
            try refuse(
                .learningRate, "a rate is a finite number, 0 or more", "give e.g. 0.001")
        }
        if !isRate(optimizer.weightDecay) {
            try refuse(
                .weightDecay, "a decay is a finite number, 0 or more", "give e.g. 0 or 0.004")
        }
        let warmupSteps = optimizer.schedule.warmupSteps
        if warmupSteps < 0 || warmupSteps > SettingLimits.maximumWarmupSteps {
            try refuse(
                .warmupSteps, "a warm-up has 0 to \(SettingLimits.maximumWarmupSteps) steps",
                "give 0 for none")
        }
    }

    /// True if the number stays finite when it is rounded to `Float`; −0 would be another hash.
    private func isRate(_ value: Double) -> Bool {
        value.sign == .plus && Float(value).isFinite
    }

    private func validateBatches(trainingExampleCount: Int) throws(ConfigurationError) {
        if validationExamples < 0 || validationExamples >= trainingExampleCount {
            try refuse(
                .validationExamples,
                "of \(trainingExampleCount) training examples, 0 to all but one can be held out",
                "give at most \(max(0, trainingExampleCount - 1))")
        }
        let trained = trainingExampleCount - validationExamples
        if batchSize < 1 {
            try refuse(.batchSize, "a batch has at least one example", "give e.g. 32")
        }
        if batchSize > SettingLimits.maximumBatchSize {
            try refuse(
                .batchSize, "the most is \(SettingLimits.maximumBatchSize)", "use a smaller batch")
        }
        if batchSize > trained {
            try refuse(
                .batchSize, "there are only \(trained) examples to train on",
                "give at most \(trained)")
        }
        if let microBatch, microBatch < 1 || microBatch > batchSize {
            try refuse(
                .microBatch,
                "a micro-batch is a part of the batch: 1 to \(batchSize) examples",
                "leave it out for \(RunConfiguration(batchSize: batchSize).effectiveMicroBatch)")
        }
    }

    private func validateLength() throws(ConfigurationError) {
        if epochs < 1 || epochs > SettingLimits.maximumEpochs {
            try refuse(
                .epochs, "a run has 1 to \(SettingLimits.maximumEpochs) epochs", "give e.g. 10")
        }
        if let targetAccuracy, !(targetAccuracy > 0 && targetAccuracy <= 1) {
            try refuse(
                .targetAccuracy, "an accuracy is above 0 and at most 1", "give e.g. 0.97")
        }
        if let evaluateEvery, evaluateEvery < 1 {
            try refuse(
                .evaluateEvery, "evaluations are at least one step apart",
                "leave it out to evaluate after each epoch only")
        }
    }
}
