/// Builds JSON objects, one a line, byte by byte.
///
/// A run logs a line a step, thousands a second, beside the training on the same cores;
/// `JSONEncoder` needs tens of microseconds for such a line. The buffer stays in place from line to
/// line, for a copy of it costs more than the line. Keys are those that the record is decoded with,
/// so that a name is spelled once.
package struct JSONLines {
    package private(set) var bytes: [UInt8] = []
    private var isFirst = true

    package init() {}

    package mutating func begin() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    package mutating func end() {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
    }

    package mutating func reserveCapacity(_ byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    /// Forgets all lines and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Forgets the first lines, whole ones.
    package mutating func removeFirst(_ byteCount: Int) {
        if byteCount == bytes.count { removeAll() } else { bytes.removeFirst(byteCount) }
    }

    // What takes a key is compiled with its caller, so that a key costs no more than its text;
    // the bytes are written in here.

    @inlinable
    package mutating func add(_ key: some CodingKey, _ value: String) {
        add(key: key.stringValue)
        append(quoted: value)
    }

    @inlinable
    package mutating func add(_ key: some CodingKey, _ value: some FixedWidthInteger) {
        add(key: key.stringValue)
        append(String(value))
    }

    @inlinable
    package mutating func add(
        _ key: some CodingKey, _ value: some BinaryFloatingPoint & LosslessStringConvertible
    ) {
        add(key: key.stringValue)
        append(number: value.isFinite ? value.description : nil)
    }

    @inlinable
    package mutating func add(_ key: some CodingKey, _ values: [Float]) {
        add(key: key.stringValue)
        append(values)
    }

    @inlinable
    package mutating func add(_ key: some CodingKey, integers values: [Int]) {
        add(key: key.stringValue)
        append(values)
    }

    /// Keys in ascending order, so that equal dictionaries give equal lines.
    @inlinable
    package mutating func add(_ key: some CodingKey, _ values: [String: String]) {
        add(key: key.stringValue)
        append(values)
    }

    @inlinable
    package mutating func object(_ key: some CodingKey, _ fill: (inout JSONLines) -> Void) {
        add(key: key.stringValue)
        beginObject()
        fill(&self)
        endObject()
    }

    /// Members that were written before, without braces.
    package mutating func add(members: [UInt8]) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        bytes += members
    }

    @usableFromInline
    mutating func add(key: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        append(quoted: key)
        bytes.append(UInt8(ascii: ":"))
    }

    @usableFromInline
    mutating func beginObject() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    @usableFromInline
    mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    @usableFromInline
    mutating func append(_ values: [Float]) {
        array(values) { line, value in
            line.append(number: value.isFinite ? value.description : nil)
        }
    }

    @usableFromInline
    mutating func append(_ values: [Int]) {
        array(values) { line, value in line.append(String(value)) }
    }

    @usableFromInline
    mutating func append(_ values: [String: String]) {
        beginObject()
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            add(key: name)
            append(quoted: value)
        }
        endObject()
    }

    private mutating func array<Value>(
        _ values: [Value], _ appendValue: (inout JSONLines, Value) -> Void
    ) {
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendValue(&self, value)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    @usableFromInline
    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// The shortest decimal that reads back as the same value, and null for what JSON cannot say.
    @usableFromInline
    mutating func append(number decimal: String?) {
        guard let decimal else { return append("null") }
        append(decimal)
        if bytes[bytes.count - 1] == UInt8(ascii: "0"), bytes[bytes.count - 2] == UInt8(ascii: ".")
        {
            bytes.removeLast(2)
        }
    }

    @usableFromInline
    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.contains(where: Self.needsEscape) {
            for byte in text.utf8 { append(escaped: byte) }
        } else {
            append(text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func append(escaped byte: UInt8) {
        guard Self.needsEscape(byte) else { return bytes.append(byte) }
        bytes.append(UInt8(ascii: "\\"))
        if byte < 0x20 {
            append(byte < 16 ? "u000" : "u00")
            append(String(byte, radix: 16))
        } else {
            bytes.append(byte)
        }
    }
}
