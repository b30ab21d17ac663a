import Foundation
import RandomNumbers

/// The numbers of one simulated study.
struct SimulatedRandom {
    private var stream: Philox

    init(scenario: Int, repetition: Int) {
        stream = Philox(
            seed: UInt64(scenario), purpose: .syntheticDigits, index: UInt64(repetition))
    }

    mutating func uniform() -> Double { Double.random(in: 0..<1, using: &stream) }

    /// Box and Muller.
    mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * Double.pi * uniform())
    }

    mutating func happens(_ probability: Double) -> Bool { uniform() < probability }
}
