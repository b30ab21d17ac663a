/// The nonlinearity of a dense layer. `softmax` is for the output layer only.
package enum Activation: String, CaseIterable, Codable, Sendable {
    case tanh, relu, sigmoid, softmax, identity
}
