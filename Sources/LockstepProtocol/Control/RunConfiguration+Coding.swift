import TrainingPlan

/// A configuration in an assignment. Whoever receives one validates it against the data set.
extension ByteWriter {
    mutating func write(_ configuration: RunConfiguration) {
        write(configuration.name)
        let architecture = configuration.architecture
        write(list: architecture.layers) { $0.write($1) }
        write(architecture.hidden.rawValue)
        write(architecture.output.rawValue)
        write(architecture.loss.rawValue)
        write(architecture.targets.rawValue)
        write(architecture.decoding.rawValue)
        let optimizer = configuration.optimizer
        write(optimizer.kind.rawValue)
        write(optimizer.learningRate)
        write(optimizer.weightDecay)
        write(optimizer.schedule.shape.rawValue)
        write(optimizer.schedule.warmupSteps)
        write(configuration.batchSize)
        write(configuration.microBatch) { $0.write($1) }
        write(configuration.epochs)
        write(configuration.seed)
        write(configuration.targetAccuracy) { $0.write($1) }
        write(configuration.validationExamples)
        write(configuration.evaluateEvery) { $0.write($1) }
    }
}

extension ByteReader {
    mutating func readConfiguration() throws(Failure) -> RunConfiguration {
        let name = try readText()
        let architecture = NetworkArchitecture(
            layers: try readList(atMost: SettingLimits.maximumLayers) { (reader) throws(Failure) in
                try reader.readInt()
            }, hidden: try readCase(), output: try readCase(), loss: try readCase(),
            targets: try readCase(), decoding: try readCase())
        let optimizer = OptimizerSettings(
            kind: try readCase(), learningRate: try readDouble(), weightDecay: try readDouble(),
            schedule: LearningRateSchedule(shape: try readCase(), warmupSteps: try readInt()))
        return RunConfiguration(
            name: name, architecture: architecture, optimizer: optimizer,
            batchSize: try readInt(),
            microBatch: try readOptional { (reader) throws(Failure) in try reader.readInt() },
            epochs: try readInt(), seed: try read(),
            targetAccuracy: try readOptional { (reader) throws(Failure) in
                try reader.readDouble()
            }, validationExamples: try readInt(),
            evaluateEvery: try readOptional { (reader) throws(Failure) in try reader.readInt() })
    }
}
