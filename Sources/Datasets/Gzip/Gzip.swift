import CZlib

/// What is wrong with a gzip stream. Offsets count bytes of the compressed stream.
package enum GzipError: Error, Equatable, Sendable {
    /// The first two bytes are not 1f 8b.
    case notGzip
    case cutShort(byteCount: Int)
    /// `detail` are zlib's own words.
    case corrupt(offset: Int, detail: String)
    /// The checksum (CRC-32) in the trailer is not that of the data.
    case wrongChecksum(offset: Int)
    /// The data continue beyond the bound that the caller set, in uncompressed bytes.
    case largerThan(byteCount: Int)
    case trailingBytes(offset: Int, count: Int)
}

extension GzipError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notGzip: "it does not begin as a gzip stream does (1f 8b)"
        case .cutShort(let byteCount): "the gzip stream is cut short after \(byteCount) bytes"
        case .corrupt(let offset, let detail):
            "the gzip stream is corrupt before its byte \(offset) (\(detail))"
        case .wrongChecksum(let offset):
            "the data do not match the CRC-32 in the gzip trailer before byte \(offset)"
        case .largerThan(let byteCount):
            "it holds more than the \(byteCount) uncompressed bytes that it may"
        case .trailingBytes(let offset, let count):
            "\(count) bytes that are not gzip follow the stream at its byte \(offset)"
        }
    }
}

/// Whole gzip streams (RFC 1952) at once.
package enum Gzip {
    /// Whether bytes begin as a gzip stream does.
    package static func isGzip(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.starts(with: [0x1f, 0x8b])
    }

    /// - Parameter bound: more uncompressed bytes than this are an error.
    package static func decompress(
        _ compressed: [UInt8], atMost bound: Int
    ) throws(GzipError) -> [UInt8] {
        let stream = try InflateStream(compressed)
        var output = [UInt8]()
        var chunk = [UInt8](repeating: 0, count: min(1 << 18, bound))
        while output.count < bound {
            let length = min(chunk.count, bound - output.count)
            let count = try unsafe chunk.withUnsafeMutableBufferPointer { chunk throws(GzipError) in
                try unsafe stream.read(into: .init(rebasing: chunk[..<length]))
            }
            output += chunk[..<count]
            if count < length { break }
        }
        try stream.finish()
        return output
    }

    /// - Parameter level: 1 (fastest) to 9 (smallest).
    package static func compress(_ bytes: [UInt8], level: Int32 = 6) -> [UInt8] {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        defer { unsafe stream.deallocate() }
        let status = unsafe deflateInit2_(
            stream, level, Z_DEFLATED, gzipWindowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib has no memory to compress")
        defer { _ = unsafe deflateEnd(stream) }
        precondition(bytes.count < UInt32.max / 2, "zlib counts in 32 bits")
        let capacity = unsafe Int(deflateBound(stream, UInt(bytes.count)))
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(input.count)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = UInt32(output.count)
                let status = unsafe deflate(stream, Z_FINISH)
                precondition(status == Z_STREAM_END, "deflateBound is a bound")
            }
            count = unsafe capacity - Int(stream.pointee.avail_out)
        }
    }
}

/// The largest window, and a gzip header in place of zlib's (`inflateInit2` in zlib.h).
let gzipWindowBits: Int32 = 15 + 16
