import Glibc
import NeuralNetwork

// Runs every kernel of those that LOCKSTEP_KERNELS names on one kind of input, once, to be counted
// by valgrind's callgrind. Prints how many floats or examples share the instructions.

func kernelEnvironment() -> [String: String] {
    guard let value = unsafe getenv("LOCKSTEP_KERNELS") else { return [:] }
    return unsafe ["LOCKSTEP_KERNELS": String(cString: value)]
}

let variant: KernelVariant
do {
    variant = try KernelVariant.selected(environment: kernelEnvironment())
} catch {
    print(error)
    exit(64)
}
let kernels = KernelSet(variant)
switch CommandLine.arguments.dropFirst().first {
case "elements":
    Elements(kernels).run()
    print(Elements.count)
case "outputs":
    Elements(kernels).runOutputs()
    print(Elements.exampleCount)
case let name?:
    guard let pixels = TrainingStep.inputs[name] else { fallthrough }
    TrainingStep(kernels, pixels).run()
    print(TrainingStep.exampleCount)
default:
    print(
        "kernel-cost elements|outputs|\(TrainingStep.inputs.keys.sorted().joined(separator: "|"))")
    exit(64)
}
