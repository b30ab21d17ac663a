/// The loss of one example; a step's loss is the mean over its examples.
///
/// - `mse`: the mean over outputs of (y − t)², as Keras' `mean_squared_error`.
/// - `crossEntropy`: on softmax −Σ t ln y, computed from the logits; on sigmoid the mean over
///   outputs of the binary cross-entropy, computed from the logits, as Keras'
///   `binary_crossentropy`.
package enum Loss: String, CaseIterable, Codable, Sendable {
    case mse
    case crossEntropy = "cross-entropy"
}

/// What the outputs are compared with: the label's own output at 1, the others at 0 or at −1.
package enum TargetEncoding: String, CaseIterable, Codable, Sendable {
    case zeroOne = "zero-one"
    case plusMinusOne = "plus-minus-one"
}
