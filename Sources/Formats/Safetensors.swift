/// Named float32 tensors in one file, after the safetensors format: a little-endian u64 with the
/// header's length, the header in JSON, the tensors' bytes without holes.
///
/// The tensors lie in the file in the order given here. Where that is the order of the parameter
/// layout, the bytes behind the header are the flat vector that `weights_sha256` is computed over.
/// The format has no checksum of its own; who needs one keeps a hash in the metadata.
package struct Safetensors: FileFormat, Equatable, Sendable {
    package struct Tensor: Equatable, Sendable {
        package var name: String
        /// Row-major; empty for a scalar.
        package var shape: [Int]
        package var values: [Float]

        package init(name: String, shape: [Int], values: [Float]) {
            self.name = name
            self.shape = shape
            self.values = values
        }
    }

    /// Free text by name; this is where data set, configuration and hashes go.
    package var metadata: [String: String]
    /// In the order of their bytes.
    package var tensors: [Tensor]

    package init(metadata: [String: String] = [:], tensors: [Tensor]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    package subscript(name: String) -> Tensor? {
        tensors.first { $0.name == name }
    }

    /// The file's bytes, the same for equal values: metadata is sorted by name.
    ///
    /// Shapes must fit their values, and names must differ and not be `__metadata__`.
    package func encoded() -> [UInt8] {
        precondition(
            Set(tensors.map(\.name)).union([Self.metadataKey]).count == tensors.count + 1,
            "two tensors of one name")
        var header = JSONLines()
        header.begin()
        if !metadata.isEmpty { header.add(JSONName(Self.metadataKey), metadata) }
        var offset = 0
        for tensor in tensors {
            precondition(
                tensor.shape.reduce(1, *) == tensor.values.count,
                "a shape that differs from its values")
            let end = offset + tensor.values.count * MemoryLayout<Float>.size
            header.object(JSONName(tensor.name)) { line in
                line.add(JSONName("dtype"), "F32")
                line.add(JSONName("shape"), integers: tensor.shape)
                line.add(JSONName("data_offsets"), integers: [offset, end])
            }
            offset = end
        }
        header.end()
        var json = Array(header.bytes.dropLast())
        // So that the floats start at a multiple of their size, also in a mapped file.
        json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)

        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + json.count + offset)
        bytes.append(littleEndian: UInt64(json.count))
        bytes += json
        for tensor in tensors { bytes.append(littleEndian: tensor.values) }
        return bytes
    }

    static let metadataKey = "__metadata__"
}

/// A key that is data, such as a tensor's name.
package struct JSONName: CodingKey {
    package let stringValue: String
    package var intValue: Int? { nil }

    package init(_ name: String) {
        stringValue = name
    }

    package init?(stringValue: String) {
        self.init(stringValue)
    }

    package init?(intValue: Int) {
        nil
    }
}
