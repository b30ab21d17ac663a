/// Floats that begin `offset` bytes past an aligned address, as a received payload may.
@safe package final class UnalignedFloats {
    package let count: Int
    private let memory: UnsafeMutableRawPointer
    package let pointer: UnsafeMutableRawPointer

    package init(_ values: [Float], offset: Int) {
        count = values.count
        unsafe memory = .allocate(byteCount: values.count * 4 + offset + 1, alignment: 64)
        unsafe pointer = memory + offset
        for (index, value) in values.enumerated() {
            unsafe pointer.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
        }
    }

    deinit { unsafe memory.deallocate() }

    package var array: [Float] {
        (0..<count).map {
            unsafe pointer.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
        }
    }
}
