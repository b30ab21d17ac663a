import TrainingPlan

extension Settings {
    /// What a network computes is named after the preset that it is, however it was spelled out.
    private static let customName = "custom"
    /// Each seed is three runs of a comparison.
    private static let maximumSeedCount = 1_000

    /// The run's configuration, parsed but not validated.
    func runConfiguration() throws(UsageError) -> RunConfiguration {
        let preset = try preset()
        var configuration = try training(
            RunConfiguration(preset: preset ?? .standard))
        var architecture = configuration.architecture
        architecture.hidden = try choice(SettingKey(.hiddenActivation), or: architecture.hidden)
        architecture.output = try choice(SettingKey(.outputActivation), or: architecture.output)
        architecture.loss = try choice(SettingKey(.loss), or: architecture.loss)
        architecture.targets = try choice(SettingKey(.targets), or: architecture.targets)
        architecture.decoding = try choice(SettingKey(.decode), or: architecture.decoding)
        configuration.architecture = architecture
        configuration.seed = try integer(SettingKey(.seed), or: configuration.seed)
        configuration.name = Self.name(of: architecture)
        return configuration
    }

    /// The configuration of a comparison's run.
    func runConfiguration(
        preset: RunConfiguration.Preset, seed: UInt64
    ) throws(UsageError) -> RunConfiguration {
        var configuration = try training(RunConfiguration(preset: preset))
        configuration.seed = seed
        return configuration
    }

    func seeds() throws(UsageError) -> [UInt64] {
        guard let given = self[.seeds] else { return [1] }
        do throws(SeedList.Problem) {
            let list = try SeedList(given.text)
            guard list.count <= Self.maximumSeedCount else {
                throw SeedList.Problem(
                    reason: "these are more than \(Self.maximumSeedCount) seeds",
                    remedy: "give fewer")
            }
            return list.seeds
        } catch {
            throw UsageError(given.place, error.reason, error.remedy)
        }
    }

    private func preset() throws(UsageError) -> RunConfiguration.Preset? {
        guard self[SettingKey(.preset)] != nil else { return nil }
        return try choice(SettingKey(.preset), or: .standard)
    }

    /// The settings that a comparison's configurations have in common.
    private func training(
        _ base: RunConfiguration
    ) throws(UsageError) -> RunConfiguration {
        func optional<Value: FixedWidthInteger>(
            _ key: RunConfiguration.Key
        ) throws(UsageError) -> Value? {
            self[SettingKey(key)] == nil ? nil : try integer(SettingKey(key), or: 0)
        }
        var result = base
        result.architecture.layers = try integers(
            SettingKey(.layers), or: base.architecture.layers)
        var optimizer = base.optimizer
        optimizer.kind = try choice(SettingKey(.optimizer), or: optimizer.kind)
        optimizer.learningRate = try number(
            SettingKey(.learningRate), or: optimizer.learningRate)
        optimizer.weightDecay = try number(SettingKey(.weightDecay), or: optimizer.weightDecay)
        optimizer.schedule.shape = try choice(
            SettingKey(.schedule), or: optimizer.schedule.shape)
        optimizer.schedule.warmupSteps = try integer(
            SettingKey(.warmupSteps), or: optimizer.schedule.warmupSteps)
        result.optimizer = optimizer
        result.batchSize = try integer(SettingKey(.batchSize), or: base.batchSize)
        result.microBatch = try optional(.microBatch)
        result.epochs = try integer(SettingKey(.epochs), or: base.epochs)
        if self[SettingKey(.targetAccuracy)] != nil {
            result.targetAccuracy = try number(SettingKey(.targetAccuracy), or: 1)
        }
        result.validationExamples = try integer(
            SettingKey(.validationExamples), or: base.validationExamples)
        result.evaluateEvery = try optional(.evaluateEvery)
        return result
    }

    private static func name(of architecture: NetworkArchitecture) -> String {
        RunConfiguration.Preset.allCases.first { preset in
            var named = preset.architecture
            named.layers = architecture.layers
            return named == architecture
        }?.rawValue ?? customName
    }

    // MARK: Checks

    /// Throws the first setting that cannot be trained with, naming where it was given.
    ///
    /// - Parameter trainingExampleCount: nil before the data set is known.
    func validate(
        _ configuration: RunConfiguration, trainingExampleCount: Int? = nil
    ) throws(UsageError) {
        do throws(ConfigurationError) {
            try configuration.validate(trainingExampleCount: trainingExampleCount ?? .max)
        } catch {
            let given = self[SettingKey(error.setting)]
            throw UsageError(
                given?.place ?? "\(error.setting.flag) \(error.value)", error.reason, error.remedy)
        }
    }

    // MARK: For people

    /// Each setting of a run with its value and where that came from.
    func table(of configuration: RunConfiguration) -> [(
        key: SettingKey, text: String, origin: String
    )] {
        RunConfiguration.Key.allCases.map { key in
            let given = self[SettingKey(key)]
            var text = configuration.text(of: key)
            if key == .microBatch { text = "\(configuration.effectiveMicroBatch)" }
            let origin =
                given?.origin
                ?? (isPartOfPreset(key) ? "\(SettingKey(.preset).flag)" : "default")
            return (SettingKey(key), text ?? "-", origin)
        }
    }

    private func isPartOfPreset(_ key: RunConfiguration.Key) -> Bool {
        switch key {
        case .hiddenActivation, .outputActivation, .loss, .targets, .decode:
            self[SettingKey(.preset)] != nil
        case .preset, .layers, .optimizer, .learningRate, .weightDecay, .schedule,
            .warmupSteps, .batchSize, .microBatch, .epochs, .seed, .targetAccuracy,
            .validationExamples, .evaluateEvery:
            false
        }
    }
}
