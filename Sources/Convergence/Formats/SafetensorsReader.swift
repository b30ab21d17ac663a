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

    /// - Throws: ``FileError``, or ``SafetensorsError`` for any deviation from the format and for
    ///   tensors of another type than F32.
    package init(reading path: String) throws {
        try self.init(decoding: Files.read(path), path: path)
    }

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
                reason: "this is no safetensors file, or it is cut short: its first 8 bytes "
                    + "announce a header of \(length) bytes, and \(bytes.count - headerStart) follow"
            )
        }
        let dataStart = headerStart + Int(length)
        var parser = HeaderParser(bytes: bytes[headerStart..<dataStart])
        let header: SafetensorsHeader
        do {
            header = try parser.parse()
        } catch {
            throw SafetensorsError(
                path: path, tensor: error.tensor, byte: error.byte, reason: error.reason)
        }

        // Sorted by place, every tensor must begin where the one before ended: neither holes nor
        // overlaps nor bytes that nobody owns. Empty tensors come before others at their place.
        let entries = header.entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var position = 0
        metadata = header.metadata
        tensors = []
        for entry in entries {
            func fail(_ reason: String) -> SafetensorsError {
                SafetensorsError(path: path, tensor: entry.name, byte: entry.byte, reason: reason)
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
            let values = stride(from: dataStart + entry.begin, to: dataStart + entry.end, by: 4).map
            {
                Float(
                    bitPattern: UInt32(bytes[$0]) | UInt32(bytes[$0 + 1]) << 8
                        | UInt32(bytes[$0 + 2]) << 16 | UInt32(bytes[$0 + 3]) << 24)
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
    struct Entry {
        let name: String
        /// Where it stands in the file.
        let byte: Int
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

    var metadata: [String: String] = [:]
    var entries: [Entry] = []
}

/// Parses the JSON of a header, and only what a header may hold: `JSONDecoder` would take the last
/// of two equal names without a word, and could not name the byte.
private struct HeaderParser {
    struct Fault: Error {
        let tensor: String?
        let byte: Int
        let reason: String
    }

    /// Indexed by the offset in the file.
    let bytes: ArraySlice<UInt8>
    private var position: Int
    /// The tensor that is being read.
    private var tensor: String?

    init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func parse() throws(Fault) -> SafetensorsHeader {
        var header = SafetensorsHeader()
        try parseObject { (parser, name) throws(Fault) in
            if name == Safetensors.metadataKey {
                header.metadata = try parser.parseMetadata()
            } else {
                parser.tensor = name
                header.entries.append(try parser.parseEntry(name))
                parser.tensor = nil
            }
        }
        skipSpaces()
        guard position == bytes.endIndex else { throw fault("the header goes on after its end") }
        return header
    }

    private mutating func parseMetadata() throws(Fault) -> [String: String] {
        var metadata: [String: String] = [:]
        try parseObject { (parser, name) throws(Fault) in
            metadata[name] = try parser.parseString()
        }
        return metadata
    }

    private mutating func parseEntry(_ name: String) throws(Fault) -> SafetensorsHeader.Entry {
        skipSpaces()
        let start = position
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try parseObject { (parser, key) throws(Fault) in
            switch key {
            case "dtype": type = try parser.parseString()
            case "shape": shape = try parser.parseIntegers()
            case "data_offsets": offsets = try parser.parseIntegers()
            default: throw parser.fault("knows no “\(key)”")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw Fault(
                tensor: name, byte: start, reason: "needs dtype, shape and two data_offsets")
        }
        guard type == "F32" else {
            throw Fault(tensor: name, byte: start, reason: "is of type \(type), only F32 is read")
        }
        return SafetensorsHeader.Entry(
            name: name, byte: start, shape: shape, begin: offsets[0], end: offsets[1])
    }

    // MARK: JSON

    /// Reads an object; `member` reads the value that belongs to a name. A name may stand once.
    private mutating func parseObject(
        _ member: (inout HeaderParser, String) throws(Fault) -> Void
    ) throws(Fault) {
        try expect("{")
        var names: Set<String> = []
        if try take("}") { return }
        repeat {
            let name = try parseString()
            guard names.insert(name).inserted else { throw fault("“\(name)” stands twice") }
            try expect(":")
            try member(&self, name)
        } while try take(",")
        try expect("}")
    }

    private mutating func parseIntegers() throws(Fault) -> [Int] {
        var values: [Int] = []
        try expect("[")
        if try take("]") { return [] }
        repeat { values.append(try parseInteger()) } while try take(",")
        try expect("]")
        return values
    }

    private mutating func parseInteger() throws(Fault) -> Int {
        skipSpaces()
        let digits = bytes[position...].prefix {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        guard let value = Int(String(decoding: digits, as: UTF8.self)),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { throw fault("a whole number is expected") }
        position = digits.endIndex
        return value
    }

    private mutating func parseString() throws(Fault) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.endIndex {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw fault("a text ends here that is no UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try parseEscape(into: &text)
            case 0..<0x20: throw fault("a control character in a text")
            default: text.append(byte)
            }
        }
        throw fault("the header ends inside a text")
    }

    private mutating func parseEscape(into text: inout [UInt8]) throws(Fault) {
        guard position < bytes.endIndex else { throw fault("the header ends inside a text") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): try parseUnicodeEscape(into: &text)
        default: throw fault("an unknown escape in a text")
        }
    }

    private mutating func parseUnicodeEscape(into text: inout [UInt8]) throws(Fault) {
        var units = [try parseCodeUnit()]
        if UTF16.isLeadSurrogate(units[0]) {
            guard bytes[position...].starts(with: "\\u".utf8) else {
                throw fault("half a surrogate pair in a text")
            }
            position += 2
            units.append(try parseCodeUnit())
        }
        guard let string = String(validating: units, as: UTF16.self) else {
            throw fault("half a surrogate pair in a text")
        }
        text += string.utf8
    }

    private mutating func parseCodeUnit() throws(Fault) -> UInt16 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw fault("four hexadecimal digits are expected") }
        position = digits.endIndex
        return unit
    }

    private mutating func skipSpaces() {
        while position < bytes.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func take(_ sign: Unicode.Scalar) throws(Fault) -> Bool {
        skipSpaces()
        guard position < bytes.endIndex else { throw fault("the header ends too early") }
        guard bytes[position] == UInt8(ascii: sign) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ sign: Unicode.Scalar) throws(Fault) {
        guard try take(sign) else { throw fault("“\(sign)” is expected") }
    }

    private func fault(_ reason: String) -> Fault {
        Fault(tensor: tensor, byte: position, reason: reason)
    }
}
