import CZlib

/// The uncompressed bytes of a gzip stream (RFC 1952, several members too), as many at a time as
/// asked for.
///
/// Nothing is checked before it is read: only after `finish()` are the data known to be whole.
@safe package final class InflateStream {
    private let compressed: [UInt8]
    /// zlib's state points back at the stream, which may therefore not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private var consumedByteCount = 0
    private var producedByteCount = 0
    private var atEnd = false

    package init(_ compressed: [UInt8]) throws(GzipError) {
        guard Gzip.isGzip(compressed) else { throw .notGzip }
        self.compressed = compressed
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe inflateInit2_(
            stream, gzipWindowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib has no memory to decompress")
    }

    deinit {
        _ = unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// No stream of this length holds more: deflate expands at most 1032 times
    /// (zlib.net/zlib_tech.html).
    package var largestByteCount: Int { compressed.count * 1032 }

    /// Fills the buffer; fewer bytes mean the end.
    package func read(into output: UnsafeMutableBufferPointer<UInt8>) throws(GzipError) -> Int {
        var filled = 0
        while filled < output.count, !atEnd {
            filled += try unsafe step(into: .init(rebasing: output[filled...]))
        }
        producedByteCount += filled
        return filled
    }

    /// Checks that the stream ends here, trailer and all.
    package func finish() throws(GzipError) {
        let produced = producedByteCount
        var beyond: [UInt8] = [0]
        let count = try unsafe beyond.withUnsafeMutableBufferPointer { byte throws(GzipError) in
            try unsafe read(into: byte)
        }
        guard count == 0 else { throw .largerThan(byteCount: produced) }
    }

    /// One call of inflate.
    private func step(into output: UnsafeMutableBufferPointer<UInt8>) throws(GzipError) -> Int {
        let window = Int(UInt32.max)
        let inputCount = min(compressed.count - consumedByteCount, window)
        let outputCount = min(output.count, window)
        let status = unsafe compressed.withUnsafeBufferPointer { compressed in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(
                mutating: compressed.baseAddress.map { unsafe $0 + consumedByteCount })
            unsafe stream.pointee.avail_in = UInt32(inputCount)
            unsafe stream.pointee.next_out = output.baseAddress
            unsafe stream.pointee.avail_out = UInt32(outputCount)
            return unsafe inflate(stream, Z_NO_FLUSH)
        }
        consumedByteCount += inputCount - Int(unsafe stream.pointee.avail_in)
        let count = outputCount - Int(unsafe stream.pointee.avail_out)
        switch status {
        case Z_OK, Z_BUF_ERROR:
            if count == 0, consumedByteCount == compressed.count {
                throw .cutShort(byteCount: compressed.count)
            }
        case Z_STREAM_END:
            try endMember()
        case Z_MEM_ERROR:
            preconditionFailure("zlib has no memory to decompress")
        default:
            throw unsafe corruption(detail: stream.pointee.msg.map { unsafe String(cString: $0) })
        }
        return count
    }

    /// After a trailer comes the end or another member.
    private func endMember() throws(GzipError) {
        let rest = compressed[consumedByteCount...]
        if rest.isEmpty {
            atEnd = true
        } else if Gzip.isGzip(rest) {
            _ = unsafe inflateReset(stream)
        } else {
            throw .trailingBytes(offset: consumedByteCount, count: rest.count)
        }
    }

    private func corruption(detail: String?) -> GzipError {
        if detail == "incorrect data check" { return .wrongChecksum(offset: consumedByteCount) }
        return .corrupt(offset: consumedByteCount, detail: detail ?? "zlib gives no reason")
    }
}
