import Hashing

/// Named arrays as `numpy.load` reads them, without pickles: NPY 1.0 files in a stored ZIP.
///
/// The tensors are float32 arrays under their names; `metadata` is an array of texts of shape
/// `[entries, 2]`, which `dict(file["metadata"])` makes a dictionary.
package struct NPZ: FileFormat, Equatable, Sendable {
    package var metadata: [String: String]
    /// In the order of their bytes.
    package var tensors: [Safetensors.Tensor]

    package init(metadata: [String: String] = [:], tensors: [Safetensors.Tensor]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    private static let metadataName = "metadata"

    /// The file's bytes, the same for equal values: metadata is sorted by name, and there is no
    /// time in it.
    ///
    /// Shapes must fit their values, and names must differ and not be `metadata`.
    package func encoded() -> [UInt8] {
        precondition(
            Set(tensors.map(\.name)).union([Self.metadataName]).count == tensors.count + 1,
            "two arrays of one name")
        var archive = StoredZIP()
        for tensor in tensors {
            archive.add("\(tensor.name).npy", NPY.encoded(tensor.values, shape: tensor.shape))
        }
        if !metadata.isEmpty {
            let texts = metadata.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
            archive.add(
                "\(Self.metadataName).npy", NPY.encoded(texts, shape: [metadata.count, 2]))
        }
        return archive.finish()
    }
}

/// One array in NumPy's own format, version 1.0 (numpy.lib.format).
enum NPY {
    /// - Parameter values: row-major.
    static func encoded(_ values: [Float], shape: [Int]) -> [UInt8] {
        var bytes = header(type: "<f4", shape: shape, count: values.count)
        bytes.reserveCapacity(bytes.count + values.count * MemoryLayout<Float>.size)
        bytes.append(littleEndian: values)
        return bytes
    }

    /// - Parameter values: texts, row-major; all take the room of the longest, in UTF-32.
    static func encoded(_ values: [String], shape: [Int]) -> [UInt8] {
        let length = max(1, values.map(\.unicodeScalars.count).max() ?? 0)
        var bytes = header(type: "<U\(length)", shape: shape, count: values.count)
        for value in values {
            for scalar in value.unicodeScalars { bytes.append(littleEndian: scalar.value) }
            let padding = 4 * (length - value.unicodeScalars.count)
            bytes += [UInt8](repeating: 0, count: padding)
        }
        return bytes
    }

    private static func header(type: String, shape: [Int], count: Int) -> [UInt8] {
        precondition(shape.reduce(1, *) == count, "a shape that differs from its values")
        // A tuple as Python writes it: (), (3,), (2, 3).
        let tuple = shape.map { "\($0)" }.joined(separator: ", ") + (shape.count == 1 ? "," : "")
        let text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(tuple)), }"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        // So that the values start at a multiple of 64, the line feed before them included.
        let padding = (64 - (bytes.count + 2 + text.utf8.count + 1) % 64) % 64
        bytes.append(littleEndian: UInt16(text.utf8.count + padding + 1))
        bytes += Array(text.utf8) + [UInt8](repeating: UInt8(ascii: " "), count: padding)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }
}

/// A ZIP of uncompressed files (PKWARE's APPNOTE.TXT), below 4 GB and without the extensions for
/// more.
private struct StoredZIP {
    private var bytes: [UInt8] = []
    private var directory: [UInt8] = []
    private var fileCount: UInt16 = 0

    /// Version 2.0 of the format, the first with folders and deflate, is what readers expect at
    /// least.
    private static let version: UInt16 = 20
    /// Bit 11: names are in UTF-8.
    private static let flags: UInt16 = 1 << 11
    private static let stored: UInt16 = 0
    /// The first of January 1980, the earliest that the format knows: equal values give equal
    /// files.
    private static let date: UInt16 = 1 << 5 | 1

    mutating func add(_ name: String, _ content: [UInt8]) {
        let offset = UInt32(bytes.count)
        let size = UInt32(content.count)
        // What both the file's own header and the directory say.
        var shared: [UInt8] = []
        shared.append(littleEndian: Self.version)
        shared.append(littleEndian: Self.flags)
        shared.append(littleEndian: Self.stored)
        shared.append(littleEndian: UInt16(0))
        shared.append(littleEndian: Self.date)
        shared.append(littleEndian: CRC32.checksum(content))
        shared.append(littleEndian: size)
        shared.append(littleEndian: size)
        shared.append(littleEndian: UInt16(name.utf8.count))
        // No extra field.
        shared.append(littleEndian: UInt16(0))

        bytes += Array("PK".utf8) + [3, 4] + shared + Array(name.utf8) + content

        directory += Array("PK".utf8) + [1, 2]
        directory.append(littleEndian: Self.version)
        directory += shared
        // No comment, the first disk, no attributes.
        directory += [UInt8](repeating: 0, count: 2 + 2 + 2 + 4)
        directory.append(littleEndian: offset)
        directory += Array(name.utf8)
        fileCount += 1
    }

    consuming func finish() -> [UInt8] {
        let offset = UInt32(bytes.count)
        bytes += directory
        bytes += Array("PK".utf8) + [5, 6]
        // One disk, which is this one.
        bytes += [0, 0, 0, 0]
        bytes.append(littleEndian: fileCount)
        bytes.append(littleEndian: fileCount)
        bytes.append(littleEndian: UInt32(directory.count))
        bytes.append(littleEndian: offset)
        bytes += [0, 0]
        return bytes
    }
}
