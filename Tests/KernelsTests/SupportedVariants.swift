import NeuralNetwork

/// What this CPU can run.
let supportedVariants = KernelVariant.allCases.filter(\.isSupported)
