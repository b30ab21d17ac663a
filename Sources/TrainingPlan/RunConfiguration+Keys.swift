extension RunConfiguration {
    /// The settings by their names, the same word everywhere: `batch_size` in files, in the log and
    /// in a sweep, `--batch-size` on the command line.
    package enum Key: String, CaseIterable, Sendable {
        case preset
        case layers
        case hiddenActivation = "hidden_activation"
        case outputActivation = "output_activation"
        case loss, targets, decode
        case optimizer
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case schedule
        case warmupSteps = "warmup_steps"
        case batchSize = "batch_size"
        case microBatch = "micro_batch"
        case epochs, seed
        case targetAccuracy = "target_accuracy"
        case validationExamples = "validation_examples"
        case evaluateEvery = "evaluate_every"

        package var flag: String { "--\(rawValue.replacing("_", with: "-"))" }

        /// The name that the setting had at first. The configuration's hash is taken over it, so it
        /// never changes; records of earlier versions have it, too.
        package var firstName: String {
            switch self {
            case .preset: "configuration"
            case .hiddenActivation: "hidden"
            case .outputActivation: "output"
            default: rawValue.replacing("_", with: "-")
            }
        }
    }
}

extension RunConfiguration {
    /// The value of a setting as text, the way a flag takes it; nil where it is not set.
    ///
    /// Numbers are the shortest decimals that read back as the same bits.
    package func text(of key: Key) -> String? {
        switch key {
        case .preset: Preset(rawValue: name)?.rawValue
        case .layers: architecture.layers.map { "\($0)" }.joined(separator: ",")
        case .hiddenActivation: architecture.hidden.rawValue
        case .outputActivation: architecture.output.rawValue
        case .loss: architecture.loss.rawValue
        case .targets: architecture.targets.rawValue
        case .decode: architecture.decoding.rawValue
        case .optimizer: optimizer.kind.rawValue
        case .learningRate: "\(optimizer.learningRate)"
        case .weightDecay: "\(optimizer.weightDecay)"
        case .schedule: optimizer.schedule.shape.rawValue
        case .warmupSteps: "\(optimizer.schedule.warmupSteps)"
        case .batchSize: "\(batchSize)"
        case .microBatch: microBatch.map { "\($0)" }
        case .epochs: "\(epochs)"
        case .seed: "\(seed)"
        case .targetAccuracy: targetAccuracy.map { "\($0)" }
        case .validationExamples: "\(validationExamples)"
        case .evaluateEvery: evaluateEvery.map { "\($0)" }
        }
    }

    /// What `configuration_sha256` is taken over: one `key=value` line for each setting and for the
    /// data set and the arithmetic, sorted by key, each ended by a line feed.
    ///
    /// Keys are first names. The preset is left out; the micro-batch is the effective one; a
    /// setting that is not set has no line. `decode` moves no weight, but it moves the accuracy
    /// that is reported. How examples are held out has a line where some are.
    package func canonicalText(datasetSHA256: String) -> String {
        var lines = [
            "arithmetic-version=\(arithmeticVersion)", "dataset-sha256=\(datasetSHA256)",
            "\(Key.microBatch.firstName)=\(effectiveMicroBatch)",
        ]
        for key in Key.allCases where key != .preset && key != .microBatch {
            if let text = text(of: key) { lines.append("\(key.firstName)=\(text)") }
        }
        if validationExamples > 0 { lines.append("validation-draw=stratified") }
        return lines.sorted().map { $0 + "\n" }.joined()
    }

    /// The hash that names this configuration in every log line, plot and checkpoint.
    ///
    /// - Parameters:
    ///   - datasetSHA256: the data set's hash in lower-case hexadecimal.
    ///   - sha256: SHA-256 of the UTF-8 bytes it is given, in lower-case hexadecimal.
    package func configurationSHA256(
        datasetSHA256: String, sha256: (_ bytes: [UInt8]) -> String
    ) -> String {
        sha256(Array(canonicalText(datasetSHA256: datasetSHA256).utf8))
    }
}
