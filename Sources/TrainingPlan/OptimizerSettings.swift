/// An optimiser's kind and constants, with Keras' formulas and defaults.
package struct OptimizerSettings: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Codable, Sendable {
        case sgd, momentum, nesterov, adam
    }

    package var kind: Kind
    package var learningRate: Double
    /// Decoupled, as in Keras' AdamW; applied to kernels only, never to biases.
    package var weightDecay: Double
    package var schedule: LearningRateSchedule

    package init(
        kind: Kind = .adam, learningRate: Double = 0.001, weightDecay: Double = 0,
        schedule: LearningRateSchedule = .init()
    ) {
        self.kind = kind
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.schedule = schedule
    }

    /// The vectors beside the weights, each as long, that a step reads and changes.
    package var stateCount: Int {
        switch kind {
        case .sgd: 0
        case .momentum, .nesterov: 1
        case .adam: 2
        }
    }
}
