/// Floats on a 64-byte boundary, with room to read a whole block of 64 beyond the end.
///
/// Owned by one engine at a time and handed between threads only at a step's barriers, which is why
/// it may be `Sendable`.
@safe package final class FloatBuffer: @unchecked Sendable {
    package let count: Int
    package let pointer: UnsafeMutablePointer<Float>

    /// `count` floats that are written before they are read. Pages of it that nobody touches cost
    /// nothing.
    init(uninitializedCount count: Int) {
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(byteCount: (count + 64) * 4, alignment: 64)
        unsafe pointer = raw.bindMemory(to: Float.self, capacity: count + 64)
    }

    /// `count` zeros.
    package convenience init(count: Int) {
        self.init(uninitializedCount: count)
        unsafe pointer.initialize(repeating: 0, count: count + 64)
    }

    package convenience init(_ values: some Collection<Float>) {
        self.init(count: values.count)
        for (index, value) in values.enumerated() { unsafe pointer[index] = value }
    }

    deinit { unsafe pointer.deallocate() }

    /// The floats as they lie, for hashing and files.
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: pointer, count: count * 4)
    }

    package var array: [Float] { unsafe Array(UnsafeBufferPointer(start: pointer, count: count)) }

    package func copy(from other: FloatBuffer) {
        precondition(other.count == count, "buffers of one length")
        unsafe pointer.update(from: other.pointer, count: count)
    }

    package func copy(from values: [Float]) {
        precondition(values.count == count, "as many values as the buffer holds")
        unsafe values.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress else { return }
            unsafe pointer.update(from: source, count: count)
        }
    }

    func clear() { unsafe pointer.update(repeating: 0, count: count) }
}
