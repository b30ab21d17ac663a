/// Writes the payload of a statement: integers little-endian, texts and lists behind their counts.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(Self.usualByteCount) }

    /// Most statements take less: their bytes are allocated once.
    private static let usualByteCount = 512

    mutating func write<T: FixedWidthInteger>(_ value: T) {
        var value = value.littleEndian
        unsafe withUnsafeBytes(of: &value) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func write(_ value: Int) { write(Int64(value)) }

    mutating func write(_ value: Double) { write(value.bitPattern) }

    mutating func write(_ value: Bool) { write(UInt8(value ? 1 : 0)) }

    /// Control characters become blanks, and what is longer than a text may be is cut.
    mutating func write(_ value: String) {
        let isPlain = value.utf8.allSatisfy { (0x20..<0x7f).contains($0) }
        var text =
            isPlain
            ? value
            : String(
                String.UnicodeScalarView(
                    value.unicodeScalars.map {
                        $0.properties.generalCategory == .control ? " " : $0
                    }))
        while text.utf8.count > Limits.maximumTextByteCount { text.removeLast() }
        write(UInt16(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write<T>(_ value: T?, _ body: (inout ByteWriter, T) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }

    mutating func write<T>(list: [T], _ body: (inout ByteWriter, T) -> Void) {
        write(UInt32(list.count))
        for element in list { body(&self, element) }
    }
}

/// Reads what ``ByteWriter`` has written; anything else is an error, nothing traps.
struct ByteReader: ~Copyable {
    /// The payload is not what its type says.
    struct Failure: Error {}

    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = [UInt8](bytes) }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func read<T: FixedWidthInteger>(_: T.Type = T.self) throws(Failure) -> T {
        let count = MemoryLayout<T>.size
        guard bytes.count - offset >= count else { throw Failure() }
        var value: T = 0
        for index in 0..<count {
            value |= T(truncatingIfNeeded: bytes[offset + index]) << T(8 * index)
        }
        offset += count
        return value
    }

    mutating func readInt() throws(Failure) -> Int { Int(try read(Int64.self)) }

    mutating func readDouble() throws(Failure) -> Double { Double(bitPattern: try read()) }

    mutating func readBool() throws(Failure) -> Bool {
        switch try read(UInt8.self) {
        case 0: false
        case 1: true
        default: throw Failure()
        }
    }

    /// A text that can be printed: UTF-8 without control characters.
    mutating func readText(
        maximumByteCount: Int = Limits.maximumTextByteCount
    ) throws(Failure) -> String {
        let count = Int(try read(UInt16.self))
        guard count <= maximumByteCount, bytes.count - offset >= count else { throw Failure() }
        let utf8 = bytes[offset..<offset + count]
        offset += count
        // Nearly always, and much quicker to see.
        if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) {
            return String(decoding: utf8, as: UTF8.self)
        }
        guard let text = String(validating: utf8, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw Failure() }
        return text
    }

    mutating func readOptional<T>(
        _ body: (inout ByteReader) throws(Failure) -> T
    ) throws(Failure) -> T? {
        try readBool() ? try body(&self) : nil
    }

    mutating func readList<T>(
        atMost maximumCount: Int, _ body: (inout ByteReader) throws(Failure) -> T
    ) throws(Failure) -> [T] {
        let count = Int(try read(UInt32.self))
        guard count <= maximumCount else { throw Failure() }
        var list: [T] = []
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    /// A case by the text that stands for it.
    mutating func readCase<T: RawRepresentable>(_: T.Type = T.self) throws(Failure) -> T
    where T.RawValue == String {
        guard let value = T(rawValue: try readText()) else { throw Failure() }
        return value
    }

    mutating func readCase<T: RawRepresentable>(_: T.Type = T.self) throws(Failure) -> T
    where T.RawValue: FixedWidthInteger {
        guard let value = T(rawValue: try read()) else { throw Failure() }
        return value
    }
}
