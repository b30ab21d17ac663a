extension [UInt8] {
    /// An integer, lowest byte first.
    mutating func append(littleEndian value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func append(littleEndian values: some Sequence<Float>) {
        for value in values { append(littleEndian: value.bitPattern) }
    }
}
