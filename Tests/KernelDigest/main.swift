import Glibc
import NeuralNetwork
import RandomNumbers
import TrainingPlan

// Prints a digest of a mixed workload of the kernels that LOCKSTEP_KERNELS names. Every variant on
// every CPU has to print the same; `KernelDigestTests` runs it natively and under emulated CPUs.

let variant: KernelVariant
do {
    variant = try KernelVariant.selected(environment: kernelEnvironment())
} catch {
    print(error)
    exit(64)
}
var workload = Workload(kernels: KernelSet(variant))
workload.visitElementaryFunctions()
workload.visitFoldAndChecksum()
for (index, model) in Workload.models.enumerated() {
    workload.train(model, optimizer: OptimizerSettings.Kind.allCases[index % 4])
}
print("\(variant.rawValue) \(String(workload.hash, radix: 16))")
