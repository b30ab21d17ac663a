extension RunConfiguration: Codable {
    /// The settings by the names that they bear on the command line (with two dashes before), in
    /// files, on the wire and in the log.
    package enum Key: String, CodingKey, CaseIterable, Sendable {
        case configuration
        case layers, hidden, output, loss, targets, decode
        case optimizer
        case learningRate = "learning-rate"
        case weightDecay = "weight-decay"
        case schedule
        case warmupSteps = "warmup-steps"
        case batchSize = "batch-size"
        case microBatch = "micro-batch"
        case epochs, seed
        case targetAccuracy = "target-accuracy"
        case validationExamples = "validation-examples"
        case evaluateEvery = "evaluate-every"

        package var flag: String { "--\(rawValue)" }
    }

    /// Settings that are left out take those of the preset that `configuration` names, or else the
    /// defaults. Does not validate: see ``validate(trainingExampleCount:)``.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        func value<T: Decodable>(_ key: Key, or fallback: T) throws -> T {
            try values.decodeIfPresent(T.self, forKey: key) ?? fallback
        }
        let name = try values.decodeIfPresent(String.self, forKey: .configuration)
        let base = name.flatMap(Preset.init(rawValue:)).map(Self.init(preset:)) ?? Self()
        self.init(
            name: name ?? base.name,
            architecture: NetworkArchitecture(
                layers: try value(.layers, or: base.architecture.layers),
                hidden: try value(.hidden, or: base.architecture.hidden),
                output: try value(.output, or: base.architecture.output),
                loss: try value(.loss, or: base.architecture.loss),
                targets: try value(.targets, or: base.architecture.targets),
                decoding: try value(.decode, or: base.architecture.decoding)),
            optimizer: OptimizerSettings(
                kind: try value(.optimizer, or: base.optimizer.kind),
                learningRate: try value(.learningRate, or: base.optimizer.learningRate),
                weightDecay: try value(.weightDecay, or: base.optimizer.weightDecay),
                schedule: LearningRateSchedule(
                    shape: try value(.schedule, or: base.optimizer.schedule.shape),
                    warmupSteps: try value(
                        .warmupSteps, or: base.optimizer.schedule.warmupSteps))),
            batchSize: try value(.batchSize, or: base.batchSize),
            microBatch: try values.decodeIfPresent(Int.self, forKey: .microBatch),
            epochs: try value(.epochs, or: base.epochs),
            seed: try value(.seed, or: base.seed),
            targetAccuracy: try values.decodeIfPresent(Double.self, forKey: .targetAccuracy),
            validationExamples: try value(.validationExamples, or: base.validationExamples),
            evaluateEvery: try values.decodeIfPresent(Int.self, forKey: .evaluateEvery))
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(name, forKey: .configuration)
        try values.encode(architecture.layers, forKey: .layers)
        try values.encode(architecture.hidden, forKey: .hidden)
        try values.encode(architecture.output, forKey: .output)
        try values.encode(architecture.loss, forKey: .loss)
        try values.encode(architecture.targets, forKey: .targets)
        try values.encode(architecture.decoding, forKey: .decode)
        try values.encode(optimizer.kind, forKey: .optimizer)
        try values.encode(optimizer.learningRate, forKey: .learningRate)
        try values.encode(optimizer.weightDecay, forKey: .weightDecay)
        try values.encode(optimizer.schedule.shape, forKey: .schedule)
        try values.encode(optimizer.schedule.warmupSteps, forKey: .warmupSteps)
        try values.encode(batchSize, forKey: .batchSize)
        try values.encodeIfPresent(microBatch, forKey: .microBatch)
        try values.encode(epochs, forKey: .epochs)
        try values.encode(seed, forKey: .seed)
        try values.encodeIfPresent(targetAccuracy, forKey: .targetAccuracy)
        try values.encode(validationExamples, forKey: .validationExamples)
        try values.encodeIfPresent(evaluateEvery, forKey: .evaluateEvery)
    }
}

extension RunConfiguration {
    /// The value of a setting as text, the way a flag takes it; nil where it is not set.
    ///
    /// Numbers are the shortest decimals that read back as the same bits.
    package func text(of key: Key) -> String? {
        switch key {
        case .configuration: name
        case .layers: architecture.layers.map { "\($0)" }.joined(separator: ",")
        case .hidden: architecture.hidden.rawValue
        case .output: architecture.output.rawValue
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
    /// The name is left out; the micro-batch is the effective one; a setting that is not set has no
    /// line. `decode` moves no weight, but it moves the accuracy that is reported. How examples are
    /// held out has a line where some are.
    package func canonicalText(datasetSHA256: String) -> String {
        var lines = [
            "arithmetic-version=\(arithmeticVersion)", "dataset-sha256=\(datasetSHA256)",
            "\(Key.microBatch.rawValue)=\(effectiveMicroBatch)",
        ]
        for key in Key.allCases where key != .configuration && key != .microBatch {
            if let text = text(of: key) { lines.append("\(key.rawValue)=\(text)") }
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
