/// A run's shape, the same for all sides.
struct TrainingShape: Hashable, Sendable {
    var configuration: String
    var input = StepInput.mnist
    var layers = StepInput.seedLayers
    /// Of Lockstep's tree; nil for its default. Others have none.
    var microBatch: Int?
    /// 0 workers: in one process, without a socket.
    var workers: Int
    var threads: Int
    var batchSize: Int
    var epochs: Int

    var words: String {
        let place = workers == 0 ? "one process" : "\(workers) workers"
        return "\(input.words), \(place), threads \(threads), batch \(batchSize)"
    }

    /// Widths as programs take them: 784,128,10.
    var layersText: String { layers.map(String.init).joined(separator: ",") }

    /// Multiplications and additions of one example, forwards and backwards, where the zeros of the
    /// input are skipped.
    func operationsPerExample(inputDensity density: Double) -> Double {
        var count = 0.0
        for (index, (inputs, outputs)) in zip(layers, layers.dropFirst()).enumerated() {
            let product = 2 * Double(inputs * outputs)
            // The first layer has no gradient of its inputs.
            count += index == 0 ? 2 * product * density : 3 * product
        }
        return count
    }
}
