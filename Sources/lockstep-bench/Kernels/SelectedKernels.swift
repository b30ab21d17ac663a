import Foundation
import LockstepProtocol
import NeuralNetwork

extension KernelSet {
    /// The kernels that every role would use: those of `LOCKSTEP_KERNELS`, or the fastest.
    static func selected() throws(BenchError) -> KernelSet {
        do {
            return KernelSet(try .selected(environment: ProcessInfo.processInfo.environment))
        } catch {
            throw BenchError(.usage, "\(error)")
        }
    }
}
