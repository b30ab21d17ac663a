/// The shape of a fully connected network: layer widths, activations, loss, targets and decoding.
package struct NetworkArchitecture: Hashable, Sendable {
    /// Widths from input to output, e.g. `[784, 128, 10]`: at least two, all positive.
    package var layers: [Int]
    package var hidden: Activation
    package var output: Activation
    package var loss: Loss
    package var targets: TargetEncoding
    package var decoding: OutputDecoding

    package init(
        layers: [Int] = [784, 128, 10], hidden: Activation, output: Activation, loss: Loss,
        targets: TargetEncoding = .zeroOne, decoding: OutputDecoding = .plain
    ) {
        self.layers = layers
        self.hidden = hidden
        self.output = output
        self.loss = loss
        self.targets = targets
        self.decoding = decoding
    }
}
