import TrainingPlan

/// How much of the outputs' error their activation lets through, with the mean squared error.
///
/// With cross-entropy the loss undoes the activation, δ = y − t: there is nothing to measure.
package struct Hindrance: Sendable, Equatable {
    /// The mean of ∂y/∂z over all outputs of all examples: 1 − y² for tanh, y (1 − y) for sigmoid
    /// and softmax, 1 for identity.
    package let errorPassed: Double
    /// ‖∂loss/∂z‖ over ‖∂loss/∂y‖, both over all outputs of all examples; nil where there is no
    /// error.
    package let gradientPassed: Double?
}

/// Adds up, in Double and in the order of the examples, what a ``Hindrance`` is made of.
struct HindranceSums {
    private let architecture: NetworkArchitecture
    private let offTarget: Float
    private var outputCount = 0
    private var slopes = 0.0
    private var squaredErrors = 0.0
    private var squaredDeltas = 0.0

    /// - Returns: nil where the loss undoes the activation.
    init?(_ architecture: NetworkArchitecture) {
        guard architecture.loss == .mse else { return nil }
        self.architecture = architecture
        offTarget = architecture.targets == .zeroOne ? 0 : -1
    }

    /// - Parameters:
    ///   - y: an example's outputs.
    ///   - deltas: ∂loss/∂z, as many.
    mutating func add(
        _ y: UnsafePointer<Float>, _ deltas: UnsafePointer<Float>, outputs: Int, label: Int
    ) {
        // The loss is a mean over the outputs, taken as in the kernel: the identity's is all of it.
        let factor = 2 / Float(outputs)
        for j in 0..<outputs {
            let delta = unsafe Double(deltas[j])
            let error = unsafe Double((y[j] - (j == label ? 1 : offTarget)) * factor)
            slopes += unsafe slope(Double(y[j]))
            squaredErrors += error * error
            squaredDeltas += delta * delta
        }
        outputCount += outputs
    }

    /// ∂y/∂z, from y.
    private func slope(_ y: Double) -> Double {
        switch architecture.output {
        case .tanh: 1 - y * y
        case .sigmoid, .softmax: y * (1 - y)
        case .relu: y > 0 ? 1 : 0
        case .identity: 1
        }
    }

    /// Nil where nothing was added, and where a sum is not finite.
    var hindrance: Hindrance? {
        guard outputCount > 0, slopes.isFinite, squaredErrors.isFinite, squaredDeltas.isFinite
        else { return nil }
        return Hindrance(
            errorPassed: slopes / Double(outputCount),
            gradientPassed: squaredErrors > 0
                ? (squaredDeltas / squaredErrors).squareRoot() : nil)
    }
}
