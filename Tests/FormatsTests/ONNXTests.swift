import Formats
import TestSupport
import Testing

@Suite struct ONNXTests {
    private static func network(_ last: ONNX.Activation?) -> ONNX {
        ONNX(
            summary: "a test", producerVersion: "1.2", metadata: ["dataset": "mnist", "a": "b"],
            layers: [
                .init(
                    kernel: .init(name: "k0", shape: [2, 1], values: [1, 2]),
                    bias: .init(name: "b0", shape: [1], values: [3]), activation: .tanh),
                .init(
                    kernel: .init(name: "k1", shape: [1, 2], values: [4, 5]),
                    bias: .init(name: "b1", shape: [2], values: [6, 7]), activation: last),
            ])
    }

    @Test func versionsAndMetadata() throws {
        let model = try #require(ProtobufReader(Self.network(.softmax).encoded()))
        #expect(model.integers(1) == [8])
        #expect(model.text(2) == "lockstep" && model.text(3) == "1.2" && model.text(6) == "a test")
        #expect(model.message(8)?.integers(2) == [13])
        #expect(
            model.messages(14).map { $0.texts(1) + $0.texts(2) } == [
                ["a", "b"], ["dataset", "mnist"],
            ])
    }

    @Test func initializersAreTheTensors() throws {
        let graph = try #require(ProtobufReader(Self.network(nil).encoded())?.message(7))
        let tensors = graph.messages(5)
        #expect(tensors.map { $0.text(8) } == ["k0", "b0", "k1", "b1"])
        #expect(tensors.map { $0.integers(1) } == [[2, 1], [1], [1, 2], [2]])
        #expect(tensors.allSatisfy { $0.integers(2) == [1] })
        #expect(tensors[0].all(9) == [[0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]])
    }

    @Test(arguments: [ONNX.Activation.tanh, .relu, .sigmoid, .softmax, nil])
    func nodesEndInTheTrueHead(last: ONNX.Activation?) throws {
        let graph = try #require(ProtobufReader(Self.network(last).encoded())?.message(7))
        let nodes = graph.messages(1)
        #expect(
            nodes.compactMap { $0.text(4) } == ["Gemm", "Tanh", "Gemm"]
                + [last?.rawValue].compactMap(\.self))
        // Each takes what the one before made; the first the pixels, the last makes the outputs.
        let made = nodes.map { $0.text(2) }
        #expect(nodes.map { $0.texts(1).first } == ["pixels"] + made.dropLast())
        #expect(made.last == "outputs" && Set(made).count == nodes.count)
        #expect(nodes[2].texts(1).dropFirst() == ["k1", "b1"])
        for (number, name, width) in [(11, "pixels", 2), (12, "outputs", 2)] {
            let value = try #require(graph.message(number))
            let tensor = try #require(value.message(2, 1))
            let shape = tensor.message(2)?.messages(1) ?? []
            #expect(value.text(1) == name && tensor.integers(1) == [1])
            #expect(shape.map { $0.text(2) } == ["N", nil])
            #expect(shape.map { $0.integers(1) } == [[], [width]])
        }
    }
}
