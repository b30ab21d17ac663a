/// A fully connected network as ONNX runtimes load it: `pixels` `[N, inputs]`, floats in 0…1, to
/// `outputs` `[N, outputs]`, the true head's activations.
///
/// IR version 8 and operator set 13, which every runtime since 2021 reads.
package struct ONNX: FileFormat, Equatable, Sendable {
    /// The operator behind a dense layer; none where its activation is the identity.
    package enum Activation: String, Sendable {
        case tanh = "Tanh"
        case relu = "Relu"
        case sigmoid = "Sigmoid"
        /// Over the outputs of each example.
        case softmax = "Softmax"
    }

    package struct Layer: Equatable, Sendable {
        /// `[inputs, outputs]`, row-major.
        package var kernel: Safetensors.Tensor
        /// `[outputs]`.
        package var bias: Safetensors.Tensor
        package var activation: Activation?

        package init(
            kernel: Safetensors.Tensor, bias: Safetensors.Tensor, activation: Activation?
        ) {
            self.kernel = kernel
            self.bias = bias
            self.activation = activation
        }
    }

    /// For a person who opens the file.
    package var summary: String
    /// Of the program that trained it.
    package var producerVersion: String
    package var metadata: [String: String]
    /// From input to output, at least one.
    package var layers: [Layer]

    package init(
        summary: String, producerVersion: String, metadata: [String: String], layers: [Layer]
    ) {
        self.summary = summary
        self.producerVersion = producerVersion
        self.metadata = metadata
        self.layers = layers
    }

    private static let irVersion = 8
    private static let operatorSet = 13
    private static let input = "pixels"
    private static let output = "outputs"
    /// `TensorProto.DataType.FLOAT`
    private static let float = 1

    /// The file's bytes, the same for equal values. Each layer's width must fit the next one's.
    package func encoded() -> [UInt8] {
        guard let first = layers.first, let last = layers.last else {
            preconditionFailure("a network has layers")
        }
        for (layer, next) in zip(layers, layers.dropFirst()) {
            precondition(layer.bias.shape[0] == next.kernel.shape[0], "widths that do not fit")
        }
        // The numbers are those of onnx.proto: ModelProto here, GraphProto inside.
        var model = ProtobufWriter()
        model.add(1, Self.irVersion)
        model.add(2, "lockstep")
        model.add(3, producerVersion)
        model.add(6, summary)
        model.add(7) { graph in
            for (index, layer) in layers.enumerated() { addNodes(of: layer, index, to: &graph) }
            graph.add(2, "lockstep")
            for layer in layers {
                Self.add(layer.kernel, to: &graph)
                Self.add(layer.bias, to: &graph)
            }
            graph.add(10, summary)
            graph.add(11) { Self.describe(Self.input, width: first.kernel.shape[0], in: &$0) }
            graph.add(12) { Self.describe(Self.output, width: last.bias.shape[0], in: &$0) }
        }
        model.add(8) { $0.add(2, Self.operatorSet) }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            model.add(14) { entry in
                entry.add(1, key)
                entry.add(2, value)
            }
        }
        return model.bytes
    }

    /// A `Gemm`, which is x · kernel + bias, and what comes behind it.
    private func addNodes(of layer: Layer, _ index: Int, to graph: inout ProtobufWriter) {
        let input = index == 0 ? Self.input : "layers.\(index - 1).output"
        let output = index == layers.count - 1 ? Self.output : "layers.\(index).output"
        let sum = layer.activation == nil ? output : "layers.\(index).sum"
        graph.add(1) { node in
            for name in [input, layer.kernel.name, layer.bias.name] { node.add(1, name) }
            node.add(2, sum)
            node.add(3, "layers.\(index).dense")
            node.add(4, "Gemm")
        }
        guard let activation = layer.activation else { return }
        graph.add(1) { node in
            node.add(1, sum)
            node.add(2, output)
            node.add(3, "layers.\(index).activation")
            node.add(4, activation.rawValue)
        }
    }

    /// An initializer (`TensorProto`).
    private static func add(_ tensor: Safetensors.Tensor, to graph: inout ProtobufWriter) {
        precondition(
            tensor.shape.reduce(1, *) == tensor.values.count, "a shape that differs from its values"
        )
        graph.add(5) { message in
            for extent in tensor.shape { message.add(1, extent) }
            message.add(2, float)
            message.add(8, tensor.name)
            var raw: [UInt8] = []
            raw.reserveCapacity(tensor.values.count * MemoryLayout<Float>.size)
            raw.append(littleEndian: tensor.values)
            message.add(9, bytes: raw)
        }
    }

    /// `ValueInfoProto`: floats, as many rows as the caller likes.
    private static func describe(_ name: String, width: Int, in value: inout ProtobufWriter) {
        value.add(1, name)
        value.add(2) { type in
            type.add(1) { tensor in
                tensor.add(1, float)
                tensor.add(2) { shape in
                    shape.add(1) { $0.add(2, "N") }
                    shape.add(1) { $0.add(1, width) }
                }
            }
        }
    }
}
