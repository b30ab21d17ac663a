import Foundation

/// The `errno` values that are decided on.
enum DiskCode {
    static let missing = ENOENT
    static let full = ENOSPC
    static let failed = EIO
    static let exists = EEXIST
    static let notEmpty = ENOTEMPTY
    static let notAFolder = ENOTDIR
    /// Another folder stands at the path than before.
    static let moved = ESTALE
}

/// The file system of this host.
package struct FileDisk: Disk {
    package init() {}

    package func makeFolders(_ path: String) throws(FileError) { try Files.makeFolders(path) }

    package func names(in folder: String) throws(FileError) -> [String] {
        do throws(FileError) {
            return try Files.names(in: folder).names
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
    }

    package func read(_ path: String) throws(FileError) -> [UInt8] { try Files.read(path) }

    package func read(
        _ path: String, from offset: Int, count: Int
    ) throws(FileError) -> [UInt8] {
        try Files.read(path, from: offset, count: count)
    }

    package func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile {
        let flags =
            switch mode {
            case .create: O_WRONLY | O_CREAT
            case .replace: O_WRONLY | O_CREAT | O_TRUNC
            case .update: O_WRONLY
            }
        let file = FileDiskFile(path, try Files.open(path, flags: flags, for: .write))
        if mode == .create, try file.byteCount() > 0 {
            throw FileError(operation: .write, path: path, code: EEXIST)
        }
        return file
    }

    package func rename(_ path: String, to newPath: String) throws(FileError) {
        guard unsafe Foundation.rename(path, newPath) == 0 else {
            throw FileError(operation: .write, path: newPath, code: errno)
        }
    }

    package func removeFile(_ path: String) throws(FileError) {
        guard unsafe unlink(path) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
    }

    package func removeFolder(_ path: String) throws(FileError) {
        guard unsafe rmdir(path) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
    }

    package func synchronizeFolder(_ path: String) throws(FileError) {
        let descriptor = try Files.open(path, flags: O_RDONLY | O_DIRECTORY, for: .write)
        defer { close(descriptor) }
        try Files.synchronize(descriptor, path: path)
    }
}

private final class FileDiskFile: DiskFile {
    private let path: String
    private let descriptor: Int32

    init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func byteCount() throws(FileError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
        return Int(status.st_size)
    }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(FileError) -> Int {
        let count = Files.retrying {
            unsafe bytes.withUnsafeBytes { slice in
                unsafe pwrite(descriptor, slice.baseAddress, slice.count, off_t(offset))
            }
        }
        // A file system that takes nothing and names no cause is full.
        guard count > 0 || bytes.isEmpty else {
            throw FileError(operation: .write, path: path, code: count < 0 ? errno : ENOSPC)
        }
        return count
    }

    func truncate(to byteCount: Int) throws(FileError) {
        guard Files.retrying({ ftruncate(descriptor, off_t(byteCount)) }) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
    }

    func synchronize() throws(FileError) { try Files.synchronize(descriptor, path: path) }
}
