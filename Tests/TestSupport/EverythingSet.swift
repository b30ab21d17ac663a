package import TrainingPlan

extension RunConfiguration {
    /// A valid configuration with no setting at its default.
    package static let everythingSet = RunConfiguration(
        name: "mine",
        architecture: NetworkArchitecture(
            layers: [784, 64, 32, 10], hidden: .sigmoid, output: .identity, loss: .mse,
            targets: .plusMinusOne, decoding: .rescaled),
        optimizer: OptimizerSettings(
            kind: .nesterov, learningRate: 0.0021, weightDecay: 1e-5,
            schedule: LearningRateSchedule(shape: .cosine, warmupSteps: 7)),
        batchSize: 100, microBatch: 9, epochs: 3, seed: .max, targetAccuracy: 0.97,
        validationExamples: 500, evaluateEvery: 11)
}
