import Foundation

/// Which of a dense layer's three products: of `[examples, inputs]` activations, `[inputs,
/// outputs]` weights and `[examples, outputs]` values behind it.
enum ProductKind: String, CaseIterable, Sendable {
    /// z = a · w
    case forward = "forward product"
    /// da = δ · wᵀ
    case inputGradient = "input gradient"
    /// dw = aᵀ · δ
    case weightGradient = "weight gradient"
}

/// A product of a dense layer, matrices row-major without gaps.
struct Product: Hashable, Sendable {
    var kind: ProductKind
    var examples: Int
    var inputs: Int
    var outputs: Int

    var operations: Double { 2 * Double(examples) * Double(inputs) * Double(outputs) }
    var words: String { "\(examples) × \(inputs) × \(outputs)" }

    /// Enough for the clock: some 25 million operations.
    var callsPerSample: Int { max(1, Int(25e6 / operations)) }

    /// The product on one line, for the process that runs the library.
    var request: String { "\(kind.index) \(examples) \(inputs) \(outputs)" }

    init(_ kind: ProductKind = .forward, examples: Int, inputs: Int, outputs: Int) {
        self.kind = kind
        self.examples = examples
        self.inputs = inputs
        self.outputs = outputs
    }

    init?(request: String) {
        let numbers = request.split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 4, ProductKind.allCases.indices.contains(numbers[0]),
            numbers.dropFirst().allSatisfy({ $0 > 0 })
        else { return nil }
        self.init(
            ProductKind.allCases[numbers[0]], examples: numbers[1], inputs: numbers[2],
            outputs: numbers[3])
    }
}

extension ProductKind {
    fileprivate var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
