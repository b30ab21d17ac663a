/// Where each tensor lies in the one flat `Float` vector of parameters.
///
/// The vector serves network, wire, shards, optimiser and checkpoint alike. Layer after layer it
/// holds the kernel, `[inputs, outputs]` row-major, then the bias, `[outputs]`.
package struct ParameterLayout: Hashable, Sendable {
    package struct Layer: Hashable, Sendable {
        package let inputs: Int
        package let outputs: Int
        /// Offset of the kernel in the flat vector, in floats.
        package let kernelOffset: Int
        /// Offset of the bias in the flat vector, in floats.
        package var biasOffset: Int { kernelOffset + inputs * outputs }
        /// The end of the layer in the flat vector, in floats.
        package var endOffset: Int { biasOffset + outputs }
    }

    package let layers: [Layer]

    /// - Parameter widths: layer widths from input to output, at least two.
    package init(widths: [Int]) {
        var offset = 0
        layers = zip(widths, widths.dropFirst()).map { inputs, outputs in
            let layer = Layer(inputs: inputs, outputs: outputs, kernelOffset: offset)
            offset = layer.endOffset
            return layer
        }
    }

    /// The length of the flat vector, in floats.
    package var parameterCount: Int { layers.last?.endOffset ?? 0 }

    /// Where the flat vector may be cut: the start of every kernel row and of every bias, and the
    /// end.
    package var rowBoundaries: [Int] {
        layers.flatMap { layer in
            (0...layer.inputs).map { layer.kernelOffset + $0 * layer.outputs }
        } + [parameterCount]
    }
}

extension ParameterLayout {
    /// The tensors in order: a checkpoint's names, shapes and places.
    package var tensors: [(name: String, shape: [Int], range: Range<Int>)] {
        layers.enumerated().flatMap { index, layer in
            [
                (
                    "layers.\(index).kernel", [layer.inputs, layer.outputs],
                    layer.kernelOffset..<layer.biasOffset
                ),
                ("layers.\(index).bias", [layer.outputs], layer.biasOffset..<layer.endOffset),
            ]
        }
    }

    /// The float at `offset` by its tensor and its place in that, e.g. `layers.0.kernel[3, 17]`.
    package func elementName(at offset: Int) -> String {
        guard let tensor = tensors.first(where: { $0.range.contains(offset) }) else {
            return "(outside)"
        }
        let (row, column) = (offset - tensor.range.lowerBound)
            .quotientAndRemainder(dividingBy: tensor.shape.last ?? 1)
        return tensor.name + (tensor.shape.count == 1 ? "[\(column)]" : "[\(row), \(column)]")
    }

    /// The name of the tensor that holds the float at `offset`.
    package func tensorName(at offset: Int) -> String {
        tensors.first { $0.range.contains(offset) }?.name ?? "(outside)"
    }
}
