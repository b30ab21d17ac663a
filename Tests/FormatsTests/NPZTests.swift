import Formats
import TestSupport
import Testing

@Suite struct NPZTests {
    /// A file of the archive as its own header says, and as the directory at the end says again.
    private struct Entry: Equatable {
        var name: String
        var checksum: UInt32
        var content: [UInt8]
    }

    /// Reads the archive from the front; checks that the directory says the same.
    private func entries(_ bytes: [UInt8]) throws -> [Entry] {
        var entries: [Entry] = []
        var directory: [[UInt8]] = []
        var position = 0
        while bytes[position..<position + 4] == [0x50, 0x4B, 3, 4] {
            let header = bytes[position..<position + 30]
            let size: Int = littleEndian(header[(position + 22)...].prefix(4))
            let nameLength: Int = littleEndian(header[(position + 26)...].prefix(2))
            let name = bytes[(position + 30)...].prefix(nameLength)
            let content = bytes[(position + 30 + nameLength)...].prefix(size)
            try #require(content.count == size)
            entries.append(
                Entry(
                    name: String(decoding: name, as: UTF8.self),
                    checksum: littleEndian(header[(position + 14)...].prefix(4)),
                    content: Array(content)))
            let offset = (0..<4).map { UInt8(truncatingIfNeeded: position >> (8 * $0)) }
            var record: [UInt8] = [0x50, 0x4B, 1, 2, 20, 0]
            record += header.dropFirst(4)
            record += [UInt8](repeating: 0, count: 10)
            record += offset
            record += name
            directory.append(record)
            position += 30 + nameLength + size
        }
        let start = (0..<4).map { UInt8(truncatingIfNeeded: position >> (8 * $0)) }
        let size = directory.joined().count
        let count = UInt8(directory.count)
        var end: [UInt8] = directory.flatMap(\.self)
        end += [0x50, 0x4B, 5, 6, 0, 0, 0, 0, count, 0, count, 0]
        end += [UInt8(size & 0xFF), UInt8(size >> 8), 0, 0]
        end += start
        end += [0, 0]
        #expect(Array(bytes[position...]) == end)
        return entries
    }

    private static func npy(_ description: String, _ values: [UInt8]) -> [UInt8] {
        let padding = (64 - (10 + description.utf8.count + 1) % 64) % 64
        let header = description + String(repeating: " ", count: padding) + "\n"
        var bytes: [UInt8] = [
            0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(header.utf8.count), 0,
        ]
        bytes += header.utf8
        bytes += values
        return bytes
    }

    @Test func arraysAreThoseOfTheFormat() throws {
        let file = NPZ(
            metadata: ["b": "é", "a": "xyz"],
            tensors: [
                .init(name: "w", shape: [1, 2], values: [1, -2]),
                .init(name: "v", shape: [1], values: [0.5]),
                .init(name: "s", shape: [], values: [0]),
            ])
        let found = try entries(file.encoded())
        #expect(found.map(\.name) == ["w.npy", "v.npy", "s.npy", "metadata.npy"])
        let prefix = "{'descr': '<f4', 'fortran_order': False, 'shape': "
        #expect(
            found[0].content
                == Self.npy(prefix + "(1, 2), }", [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]))
        #expect(found[1].content == Self.npy(prefix + "(1,), }", [0, 0, 0, 0x3F]))
        #expect(found[2].content == Self.npy(prefix + "(), }", [0, 0, 0, 0]))
        let texts: [UInt8] = [
            0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0, 0, 0, 0x79, 0, 0, 0, 0x7A, 0, 0, 0,
            0x62, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xE9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(
            found[3].content
                == Self.npy(
                    "{'descr': '<U3', 'fortran_order': False, 'shape': (2, 2), }",
                    texts))
        #expect(found.allSatisfy { $0.content.count >= 64 })
    }

    /// What Python's `zlib.crc32` says of these bytes.
    @Test func checksumIsTheContents() throws {
        let file = NPZ(tensors: [.init(name: "v", shape: [1], values: [0.5])])
        #expect(try entries(file.encoded()).map(\.checksum) == [0x48D4_AE1A])
    }

    /// A dictionary's order depends on its capacity, among other things.
    @Test func equalValuesGiveEqualFiles() {
        let tensors = [Safetensors.Tensor(name: "v", shape: [1], values: [0.5])]
        let metadata = Dictionary(uniqueKeysWithValues: (0..<50).map { ("key\($0)", "\($0)") })
        var other = [String: String](minimumCapacity: 4096)
        for (key, value) in metadata { other[key] = value }
        #expect(
            NPZ(metadata: metadata, tensors: tensors).encoded()
                == NPZ(metadata: other, tensors: tensors).encoded())
    }
}
