import Foundation
import Hashing

/// Uncompressed bytes, read from front to back.
protocol ByteStream: AnyObject {
    /// The path, or words, for error messages.
    var name: String { get }

    /// No more bytes than this are left: known before memory is set aside for them.
    var largestRemainingByteCount: Int { get }

    /// Fills the buffer; fewer bytes mean the end.
    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(DatasetError) -> Int

    /// Checks that the stream ends here.
    ///
    /// - Parameter expectedByteCount: the stream's length so far, for the error message.
    func finish(expectedByteCount: Int) throws(DatasetError)
}

extension ByteStream {
    /// As many bytes as there are, up to `count`.
    func read(_ count: Int) throws(DatasetError) -> [UInt8] {
        var failure: DatasetError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DatasetError) {
                filled = try unsafe read(into: .init(rebasing: buffer[..<count]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// Bytes in memory.
final class MemoryStream: ByteStream {
    let name: String
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8], name: String) {
        self.name = name
        rest = bytes[...]
    }

    var largestRemainingByteCount: Int { rest.count }

    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(DatasetError) -> Int {
        let count = min(buffer.count, rest.count)
        _ = unsafe buffer.update(fromContentsOf: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    }

    func finish(expectedByteCount: Int) throws(DatasetError) {
        guard rest.isEmpty else {
            throw DatasetError(
                .trailingBytes(
                    expectedByteCount: expectedByteCount, byteCount: expectedByteCount + rest.count),
                path: name, byteOffset: expectedByteCount)
        }
    }
}

/// The uncompressed bytes of a gzip stream in memory.
final class GzipByteStream: ByteStream {
    let name: String
    private let stream: InflateStream

    init(_ compressed: [UInt8], name: String) throws(DatasetError) {
        self.name = name
        stream = try attempt(name) { () throws(GzipError) in try InflateStream(compressed) }
    }

    var largestRemainingByteCount: Int { stream.largestByteCount }

    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(DatasetError) -> Int {
        try attempt(name) { () throws(GzipError) in try unsafe stream.read(into: buffer) }
    }

    func finish(expectedByteCount: Int) throws(DatasetError) {
        try attempt(name) { () throws(GzipError) in try stream.finish() }
    }
}

private func attempt<Result>(
    _ name: String, _ body: () throws(GzipError) -> Result
) throws(DatasetError) -> Result {
    do {
        return try body()
    } catch {
        throw DatasetError(.gzip(error), path: name)
    }
}

/// A regular file's bytes as they lie on the disk.
final class FileByteStream: ByteStream {
    let name: String
    private let descriptor: Int32
    private var remainingByteCount: Int

    init(path: String) throws(DatasetError) {
        name = path
        // A pipe or a device in the file's place must not block: open, then look at what it is.
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(path) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let error = DatasetError.unreadable(path)
            close(descriptor)
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw DatasetError(.notARegularFile, path: path)
        }
        remainingByteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    var largestRemainingByteCount: Int { remainingByteCount }

    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(DatasetError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = unsafe Foundation.read(
                descriptor, buffer.baseAddress.map { unsafe $0 + filled }, buffer.count - filled)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(name) }
            if count == 0 { break }
            filled += count
        }
        remainingByteCount = max(0, remainingByteCount - filled)
        return filled
    }

    func finish(expectedByteCount: Int) throws(DatasetError) {
        guard remainingByteCount == 0 else {
            throw DatasetError(
                .trailingBytes(
                    expectedByteCount: expectedByteCount,
                    byteCount: expectedByteCount + remainingByteCount),
                path: name, byteOffset: expectedByteCount)
        }
    }

    /// Whether the file begins as a gzip stream does; reading begins at its first byte.
    func isGzip() throws(DatasetError) -> Bool {
        var start: [UInt8] = [0, 0]
        let count = unsafe pread(descriptor, &start, start.count, 0)
        guard count >= 0 else { throw .unreadable(name) }
        return Gzip.isGzip(start.prefix(count))
    }
}

extension DatasetError {
    /// The failure of the last system call, by `errno`.
    fileprivate static func unreadable(_ path: String) -> DatasetError {
        DatasetError(.unreadable(reason: errnoText()), path: path)
    }
}

/// `errno` in words.
func errnoText() -> String { unsafe String(cString: strerror(errno)) }

/// Opens a file, raw or gzip by its content, whatever its name.
func openByteStream(path: String) throws(DatasetError) -> any ByteStream {
    let file = try FileByteStream(path: path)
    guard try file.isGzip() else { return file }
    return try GzipByteStream(file.read(file.largestRemainingByteCount), name: path)
}
