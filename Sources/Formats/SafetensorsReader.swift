import Foundation

/// A file that is not safetensors as we read them (exit code 65).
package struct SafetensorsError: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// Missing where the fault belongs to the file as a whole.
    package let tensor: String?
    /// Offset in the file.
    package let byte: Int
    package let reason: String

    package init(path: String, tensor: String?, byte: Int, reason: String) {
        self.path = path
        self.tensor = tensor
        self.byte = byte
        self.reason = reason
    }

    package var description: String {
        let place =
            tensor.map { "\(path), tensor “\($0)”, byte \(byte)" } ?? "\(path), byte \(byte)"
        return "\(place): \(reason); restore the file or write it again"
    }
}

extension Safetensors {
    /// A larger header is refused, as in the format's own reader.
    private static let maximumHeaderByteCount = 100_000_000

    /// - Parameter path: for messages.
    package init(decoding bytes: [UInt8], path: String) throws(SafetensorsError) {
        let headerStart = 8
        guard bytes.count >= headerStart else {
            throw SafetensorsError(
                path: path, tensor: nil, byte: 0,
                reason: "\(bytes.count) bytes are too few for the header's length, which takes 8")
        }
        let length = bytes[..<headerStart].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(min(bytes.count - headerStart, Self.maximumHeaderByteCount)) else {
            throw SafetensorsError(
                path: path, tensor: nil, byte: 0,
                reason: "this is not a safetensors file, or it is truncated: its first 8 bytes "
                    + "announce a header of \(length) bytes, and \(bytes.count - headerStart) follow"
            )
        }
        let dataStart = headerStart + Int(length)
        let header: SafetensorsHeader
        do {
            header = try SafetensorsHeader(bytes[headerStart..<dataStart])
        } catch {
            throw SafetensorsError(
                path: path, tensor: error.tensor, byte: headerStart, reason: error.reason)
        }

        // Sorted by place, every tensor must begin where the one before ended: neither holes nor
        // overlaps nor bytes that nobody owns. Empty tensors come before others at their place.
        let entries = header.entries.sorted {
            ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name)
        }
        var position = 0
        metadata = header.metadata
        tensors = []
        for entry in entries {
            func fail(_ reason: String) -> SafetensorsError {
                SafetensorsError(
                    path: path, tensor: entry.name, byte: dataStart + position, reason: reason)
            }
            guard entry.begin == position else {
                throw fail(
                    "begins at \(entry.begin) of the data, the tensor before ends at \(position)")
            }
            guard entry.end >= entry.begin, entry.end <= bytes.count - dataStart else {
                throw fail(
                    "reaches from \(entry.begin) to \(entry.end) of the data, the file holds "
                        + "\(bytes.count - dataStart) bytes")
            }
            guard let count = entry.byteCount, count == entry.end - entry.begin else {
                throw fail(
                    "has shape \(entry.shape) but \(entry.end - entry.begin) bytes")
            }
            let start = dataStart + entry.begin
            let values = unsafe bytes.withUnsafeBytes { data in
                stride(from: start, to: start + count, by: MemoryLayout<Float>.size).map {
                    let bits = unsafe data.loadUnaligned(fromByteOffset: $0, as: UInt32.self)
                    return Float(bitPattern: UInt32(littleEndian: bits))
                }
            }
            tensors.append(Tensor(name: entry.name, shape: entry.shape, values: values))
            position = entry.end
        }
        guard dataStart + position == bytes.count else {
            throw SafetensorsError(
                path: path, tensor: nil, byte: dataStart + position,
                reason: "\(bytes.count - dataStart - position) bytes follow the last tensor")
        }
    }
}

/// The header as it stands, its offsets unchecked.
private struct SafetensorsHeader {
    struct Fault: Error {
        let tensor: String?
        let reason: String
    }

    struct Entry {
        let name: String
        let shape: [Int]
        /// In the data.
        let begin: Int
        let end: Int

        /// What the shape needs; nil where that is beyond counting.
        var byteCount: Int? {
            var count = MemoryLayout<Float>.size
            for dimension in shape {
                let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
                if overflow { return nil }
                count = product
            }
            return count
        }
    }

    let metadata: [String: String]
    let entries: [Entry]

    init(_ json: ArraySlice<UInt8>) throws(Fault) {
        let members: Members
        do {
            members = try JSONDecoder().decode(Members.self, from: Data(json))
        } catch let error as DecodingError {
            throw Fault(error)
        } catch {
            throw Fault(tensor: nil, reason: "the header is not valid JSON (\(error))")
        }
        // The decoder takes one of two equal names without a word.
        guard Self.memberCount(of: json) == members.count else {
            throw Fault(tensor: nil, reason: "a name stands twice in the header")
        }
        metadata = members.metadata ?? [:]
        var entries: [Entry] = []
        for (name, member) in members.tensors {
            func fail(_ reason: String) -> Fault { Fault(tensor: name, reason: reason) }
            guard member.dtype == "F32" else {
                throw fail("is of type \(member.dtype), only F32 is read")
            }
            guard member.offsets.count == 2 else { throw fail("needs two data_offsets") }
            guard (member.shape + member.offsets).allSatisfy({ $0 >= 0 }) else {
                throw fail("has a negative size or offset")
            }
            entries.append(
                Entry(
                    name: name, shape: member.shape, begin: member.offsets[0],
                    end: member.offsets[1]))
        }
        self.entries = entries
    }

    /// The members of all objects in a JSON text that is valid: as many as there are colons outside
    /// its strings.
    private static func memberCount(of json: ArraySlice<UInt8>) -> Int {
        var count = 0
        var isInString = false
        var isEscaped = false
        for byte in json {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\"") {
                isInString.toggle()
            } else if isInString {
                isEscaped = byte == UInt8(ascii: "\\")
            } else if byte == UInt8(ascii: ":") {
                count += 1
            }
        }
        return count
    }
}

extension SafetensorsHeader.Fault {
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(context, "needs \(key.stringValue)")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            self.init(context, context.debugDescription)
        case .dataCorrupted(let context):
            self.init(
                context,
                context.codingPath.isEmpty
                    ? "the header is not valid JSON" : context.debugDescription)
        @unknown default:
            self.init(tensor: nil, reason: "\(error)")
        }
    }

    private init(_ context: DecodingError.Context, _ reason: String) {
        let name = context.codingPath.first?.stringValue
        self.init(tensor: name == Safetensors.metadataKey ? nil : name, reason: reason)
    }
}

/// The JSON of a header, and only what a header may hold.
private struct Members: Decodable {
    struct Tensor: Decodable {
        let dtype: String
        let shape: [Int]
        let offsets: [Int]

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case dtype, shape
            case offsets = "data_offsets"
        }

        static let memberCount = CodingKeys.allCases.count

        init(from decoder: any Decoder) throws {
            let names = try decoder.container(keyedBy: JSONName.self).allKeys.map(\.stringValue)
            if let unknown = names.first(where: { CodingKeys(rawValue: $0) == nil }) {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "knows no “\(unknown)”")
                )
            }
            let members = try decoder.container(keyedBy: CodingKeys.self)
            dtype = try members.decode(String.self, forKey: .dtype)
            shape = try members.decode([Int].self, forKey: .shape)
            offsets = try members.decode([Int].self, forKey: .offsets)
        }
    }

    let metadata: [String: String]?
    let tensors: [String: Tensor]

    /// Of all objects.
    var count: Int {
        (metadata.map { 1 + $0.count } ?? 0) + tensors.count * (1 + Tensor.memberCount)
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: JSONName.self)
        let metadataName = JSONName(Safetensors.metadataKey)
        metadata = try members.decodeIfPresent([String: String].self, forKey: metadataName)
        tensors = try members.allKeys.reduce(into: [:]) { tensors, name in
            guard name.stringValue != metadataName.stringValue else { return }
            tensors[name.stringValue] = try members.decode(Tensor.self, forKey: name)
        }
    }
}
