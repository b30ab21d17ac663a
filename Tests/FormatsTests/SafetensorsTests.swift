import Formats
import Testing

@Suite struct SafetensorsTests {
    static let file = Safetensors(
        metadata: ["dataset": "mnist", "note": "a \"quote\", a tab\t and é"],
        tensors: [
            .init(
                name: "layer1.kernel", shape: [2, 3],
                values: [1, -2, 3.5, .infinity, -0.0, .leastNonzeroMagnitude]),
            .init(name: "layer1.bias", shape: [3], values: [0.1, 0.2, 0.3]),
            .init(name: "empty", shape: [0], values: []),
            .init(name: "scalar", shape: [], values: [42]),
        ])

    private func decode(_ bytes: [UInt8]) throws(SafetensorsError) -> Safetensors {
        try Safetensors(decoding: bytes, path: "w.safetensors")
    }

    /// A file with a header of the test's own.
    private static func bytes(header: String, dataByteCount: Int = 0) -> [UInt8] {
        let length = UInt64(header.utf8.count)
        return stride(from: 0, to: 64, by: 8).map {
            UInt8(truncatingIfNeeded: length >> UInt64($0))
        }
            + Array(header.utf8) + [UInt8](repeating: 0, count: dataByteCount)
    }

    @Test func readsWhatItWrote() throws {
        #expect(try decode(Self.file.encoded()) == Self.file)
    }

    @Test func layoutIsThatOfTheFormat() throws {
        let file = Safetensors(
            metadata: ["b": "2", "a": "1"],
            tensors: [.init(name: "w", shape: [1, 2], values: [1, 2])])
        let header =
            #"{"__metadata__":{"a":"1","b":"2"},"w":{"dtype":"F32","shape":[1,2],"#
            + #""data_offsets":[0,8]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(padded.utf8.count.isMultiple(of: 8))
        #expect(
            file.encoded()
                == Self.bytes(header: padded) + [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    }

    @Test func headersOfOtherWritersAreRead() throws {
        let header =
            "{ \"b\" : {\"data_offsets\":[4,12],\"shape\":[2],\"dtype\":\"F32\"},\n"
            + "\"\\u0061\\ud83d\\ude00\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
        let file = try decode(Self.bytes(header: header, dataByteCount: 12))
        #expect(file.tensors.map(\.name) == ["a😀", "b"])
        #expect(file.tensors.map(\.shape) == [[1], [2]])
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = Self.file.encoded()
        for count in 0..<bytes.count {
            #expect(throws: SafetensorsError.self, "\(count) bytes") {
                try decode(Array(bytes[..<count]))
            }
        }
        #expect(throws: SafetensorsError.self) { try decode(bytes + [0]) }
    }

    /// A flipped bit of the header is refused, unless it only changes one letter of a text: the
    /// format has no checksum, so names and metadata may change, shapes and values may not.
    @Test func everyFlippedBitIsRefusedOrHarmless() throws {
        let bytes = Self.file.encoded()
        let headerEnd = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
        var refused = 0
        for bit in 0..<(headerEnd * 8) {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            do {
                let file = try decode(flipped)
                #expect(file.tensors.map(\.shape) == Self.file.tensors.map(\.shape), "bit \(bit)")
                #expect(file.tensors.map(\.values) == Self.file.tensors.map(\.values), "bit \(bit)")
                let renamed = zip(file.tensors, Self.file.tensors).count { $0.name != $1.name }
                let isMetadataKept = file.metadata == Self.file.metadata
                #expect(renamed + (isMetadataKept ? 0 : 1) <= 1, "bit \(bit)")
            } catch {
                #expect(error.path == "w.safetensors" && error.byte <= bytes.count)
                refused += 1
            }
        }
        // Most of the header is structure.
        #expect(refused > headerEnd * 8 / 2)
    }

    @Test(arguments: [
        ("{}", 4, "byte 10: 4 bytes follow the last tensor"),
        (tensor("a", offsets: "4,8"), 8, "begins at 4 of the data"),
        (tensor("a", offsets: "0,4") + "," + tensor("b", offsets: "0,4"), 4, "tensor “b”"),
        (tensor("a", offsets: "0,4") + "," + tensor("b", offsets: "8,12"), 12, "ends at 4"),
        (tensor("a", offsets: "0,4") + "," + tensor("a", offsets: "4,8"), 8, "stands twice"),
        (tensor("a", offsets: "0,8"), 8, "has shape [1] but 8 bytes"),
        (tensor("a", offsets: "0,4"), 0, "the file holds 0 bytes"),
        (tensor("a", offsets: "0,4", type: "F16"), 4, "is of type F16, only F32 is read"),
        (tensor("a", shape: "4611686018427387904,4", offsets: "0,0"), 0, "bytes"),
        (tensor("a", shape: "-1", offsets: "0,4"), 4, "tensor “a”, byte 8: has a negative size"),
        (tensor("a", shape: "99999999999999999999", offsets: "0,4"), 4, "byte 8: "),
        (#""a":{"dtype":"F32","shape":[1]}"#, 4, "needs data_offsets"),
        (#""a":{"dtype":"F32","size":[1]}"#, 4, "knows no “size”"),
        (#""__metadata__":{"a":1}"#, 0, "byte 8: "),
        (#""__metadata__":{"a":"1","a":"2"}"#, 0, "stands twice"),
        (#""__metadata__":{},"__metadata__":{}"#, 0, "stands twice"),
        (#""a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}"#, 4, "stands twice"),
        (tensor("a", offsets: "0,4,8"), 4, "needs two data_offsets"),
        ("\"a", 0, "the header is not valid JSON"),
        (#""a\ud83d":{}"#, 0, "the header is not valid JSON"),
    ])
    func refusesWhatBreaksTheFormat(members: String, dataByteCount: Int, message: String) throws {
        let header = members.hasPrefix("{") ? members : "{" + members + "}"
        let error = try #require(throws: SafetensorsError.self) {
            try decode(Self.bytes(header: header, dataByteCount: dataByteCount))
        }
        #expect("\(error)".hasPrefix("w.safetensors, ") && "\(error)".contains(message), "\(error)")
    }

    private static func tensor(
        _ name: String, shape: String = "1", offsets: String, type: String = "F32"
    ) -> String {
        #""\#(name)":{"dtype":"\#(type)","shape":[\#(shape)],"data_offsets":[\#(offsets)]}"#
    }

    @Test(arguments: [UInt64.max, 1 << 63, 1 << 40])
    func refusesAnImpossibleHeaderLength(length: UInt64) {
        let bytes = stride(from: 0, to: 64, by: 8).map {
            UInt8(truncatingIfNeeded: length >> UInt64($0))
        }
        #expect(throws: SafetensorsError.self) { try decode(bytes + Array("{}".utf8)) }
    }
}
