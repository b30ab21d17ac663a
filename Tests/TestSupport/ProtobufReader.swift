/// The fields of a message, for tests: a reader of the wire format that shares nothing with the
/// writer.
package struct ProtobufReader {
    package enum Value: Equatable {
        case varint(UInt64)
        case bytes([UInt8])
    }

    /// By number, in the order of the bytes. Fixed-width numbers are bytes here.
    package private(set) var fields: [(number: Int, value: Value)] = []

    /// Nil where the bytes are no message.
    package init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let tag = Self.varint(&rest) else { return nil }
            let count: UInt64?
            switch tag & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return nil }
                fields.append((Int(tag >> 3), .varint(value)))
                continue
            case 1: count = 8
            case 2: count = Self.varint(&rest)
            case 5: count = 4
            default: count = nil
            }
            guard let count, count <= rest.count else { return nil }
            fields.append((Int(tag >> 3), .bytes(Array(rest.prefix(Int(count))))))
            rest = rest.dropFirst(Int(count))
        }
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var (value, shift) = (UInt64(0), UInt64(0))
        while let byte = bytes.popFirst(), shift < 64 {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    package func all(_ number: Int) -> [[UInt8]] {
        fields.compactMap { field in
            guard field.number == number, case .bytes(let bytes) = field.value else { return nil }
            return bytes
        }
    }

    package func messages(_ number: Int) -> [ProtobufReader] { all(number).compactMap(Self.init) }

    /// The message at the end of a way of field numbers, the first at each.
    package func message(_ path: Int...) -> ProtobufReader? {
        path.reduce(self) { $0?.messages($1).first }
    }

    package func text(_ number: Int) -> String? {
        all(number).first.map { String(decoding: $0, as: UTF8.self) }
    }

    package func texts(_ number: Int) -> [String] {
        all(number).map { String(decoding: $0, as: UTF8.self) }
    }

    package func integers(_ number: Int) -> [Int] {
        fields.compactMap { field in
            guard field.number == number, case .varint(let value) = field.value else { return nil }
            return Int(truncatingIfNeeded: value)
        }
    }

    package func float(_ number: Int) -> Float? {
        all(number).first.map { Float(bitPattern: littleEndian($0)) }
    }

    package func double(_ number: Int) -> Double? {
        all(number).first.map { Double(bitPattern: littleEndian($0)) }
    }
}

/// An integer of the width of the bytes.
package func littleEndian<Value: FixedWidthInteger>(_ bytes: some BidirectionalCollection<UInt8>)
    -> Value
{
    bytes.reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
}
