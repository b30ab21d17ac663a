import Foundation

/// A file that is written beside its place, bit by bit, and then put there whole or not at all.
package struct FileReplacement: ~Copyable {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var isInPlace = false

    /// Whether such a file could be put there now; leaves nothing behind.
    package static func check(_ path: String) throws(FileError) {
        var status = stat()
        // A folder, a device or a pipe is not replaced.
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw FileError(operation: .write, path: path, code: isFolder ? EISDIR : EINVAL)
        }
        _ = try FileReplacement(path)
    }

    package init(_ path: String) throws(FileError) {
        self.path = path
        temporary = "\(path).\(getpid()).tmp"
        do throws(FileError) {
            descriptor = try Files.makeTemporary(temporary)
        } catch {
            throw FileError(operation: .write, path: path, code: error.code)
        }
    }

    deinit {
        close(descriptor)
        if !isInPlace { unsafe unlink(temporary) }
    }

    package func append(_ bytes: [UInt8]) throws(FileError) {
        try Files.writeAll(bytes, to: descriptor, path: path)
    }

    /// Replaces whatever file is there.
    package mutating func putInPlace() throws(FileError) {
        try Files.synchronize(descriptor, path: path)
        guard unsafe rename(temporary, path) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
        isInPlace = true
    }
}
