/// Writes the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding): fields by
/// number, in the order of the calls.
///
/// What is not added has its default; a value that is added is written also where it equals the
/// default.
package struct ProtobufWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    private enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    /// `int32`, `int64`, `bool` or an enum. Negative values take ten bytes.
    package mutating func add(_ field: Int, _ value: Int) {
        add(tag: field, .varint)
        add(varint: UInt64(bitPattern: Int64(value)))
    }

    package mutating func add(_ field: Int, _ value: Float) {
        add(tag: field, .fixed32)
        bytes.append(littleEndian: value.bitPattern)
    }

    package mutating func add(_ field: Int, _ value: Double) {
        add(tag: field, .fixed64)
        bytes.append(littleEndian: value.bitPattern)
    }

    package mutating func add(_ field: Int, _ text: String) {
        add(field, bytes: Array(text.utf8))
    }

    package mutating func add(_ field: Int, bytes content: [UInt8]) {
        add(tag: field, .lengthDelimited)
        add(varint: UInt64(content.count))
        bytes += content
    }

    package mutating func add(_ field: Int, message fill: (inout ProtobufWriter) -> Void) {
        var message = ProtobufWriter()
        fill(&message)
        add(field, bytes: message.bytes)
    }

    private mutating func add(tag field: Int, _ type: WireType) {
        precondition(field > 0, "fields are numbered from 1")
        add(varint: UInt64(field) << 3 | type.rawValue)
    }

    private mutating func add(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
