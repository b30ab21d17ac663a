import CPeak
import NeuralNetwork

/// The most multiply-adds that one core can do with a set of kernels' instructions.
enum PeakOfOneCore {
    private static let rounds = 20_000

    /// One sample's multiply-adds, two operations each.
    private static func operations(_ lanes: Int) -> Double {
        2 * Double(rounds) * Double(PEAK_CHAINS) * Double(lanes)
    }

    /// Where the chains start, their factors and terms, so that they stay near one; and a float for
    /// the result, since a call whose result goes nowhere is left out.
    private static let numbers = FloatBuffer(
        (0...Int(PEAK_FLOATS)).map { 0.5 + Float($0 % 16) / 64 })

    /// Samples of the peak, and the operations of one; nil where the instructions have no fused
    /// multiply-add.
    static func timed(_ variant: KernelVariant) -> (timed: Timed, operations: Double)? {
        let numbers = unsafe numbers.pointer
        let result = unsafe numbers + Int(PEAK_FLOATS)
        #if arch(x86_64)
            switch variant {
            case .avx512:
                return (
                    Timed(calls: 1) { unsafe result.pointee = peak_avx512(rounds, numbers) },
                    operations(16)
                )
            case .avx2:
                return (
                    Timed(calls: 1) { unsafe result.pointee = peak_avx2(rounds, numbers) },
                    operations(8)
                )
            case .baseline: return nil
            }
        #else
            return (
                Timed(calls: 1) { unsafe result.pointee = peak_baseline(rounds, numbers) },
                operations(4)
            )
        #endif
    }

    /// Operations a second in the best sample; nil where nothing can be measured.
    static func operationsPerSecond(_ variant: KernelVariant, seconds: Double) -> Double? {
        guard let (timed, operations) = timed(variant) else { return nil }
        return roundTimes([timed], seconds: seconds, rounds: 1)[0].best.map { operations / $0 }
    }
}
