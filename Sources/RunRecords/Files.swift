import CrashPoints
import Foundation
import Synchronization

/// The file system refused. Reading ends a command with exit code 65, writing with 73.
package struct FileError: Error, Equatable, CustomStringConvertible {
    package enum Operation: String, Sendable {
        case read, write
    }

    package let operation: Operation
    package let path: String
    /// `errno` as the system call left it.
    package let code: Int32

    package init(operation: Operation, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether another folder stands at the path than before, or none.
    package var isMoved: Bool { code == DiskCode.moved }

    package var description: String {
        if isMoved {
            return
                "\(path) was moved, removed or replaced while it was in use; end the run, "
                + "and continue with "
                + "--resume where its folder is now"
        }
        let remedy =
            switch code {
            case ENOENT: "check the path"
            case EACCES, EPERM: "check the permissions or choose another place"
            case ENOSPC, EDQUOT: "free some space or choose another place"
            case EROFS: "the file system is read-only; choose another place"
            case ENOTDIR: "part of the path is a file; choose another place"
            case EILSEQ: "rename it: its bytes are not UTF-8"
            case EEXIST: "another run writes there; choose another place"
            case EFBIG:
                "a file may not be so large here; raise the limit (ulimit -f) or choose another place"
            default: "choose another place or look at the disk"
            }
        return "cannot \(operation.rawValue) \(path): \(unsafe String(cString: strerror(code))); "
            + remedy
    }
}

/// Which folder stands at a path, whatever it is called.
struct FolderIdentity: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// Nil where there is none.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}

/// System calls on files, whole and retried.
package enum Files {
    /// A signal may interrupt any call; it is made again.
    static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }

    static func open(
        _ path: String, flags: Int32, for operation: FileError.Operation
    ) throws(FileError) -> Int32 {
        let descriptor = retrying { unsafe Foundation.open(path, flags | O_CLOEXEC, 0o644) }
        guard descriptor >= 0 else {
            throw FileError(operation: operation, path: path, code: errno)
        }
        return descriptor
    }

    static func writeAll(
        _ bytes: [UInt8], to descriptor: Int32, path: String
    ) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = retrying {
                unsafe bytes[written...].withUnsafeBytes { slice in
                    unsafe write(descriptor, slice.baseAddress, slice.count)
                }
            }
            guard count >= 0 else { throw FileError(operation: .write, path: path, code: errno) }
            written += count
        }
    }

    /// Writes into a file that is there, in its place; what stood behind the offset goes.
    static func extend(_ path: String, from offset: Int, with bytes: [UInt8]) throws(FileError) {
        let descriptor = try open(path, flags: O_WRONLY | O_APPEND, for: .write)
        defer { close(descriptor) }
        guard retrying({ ftruncate(descriptor, off_t(offset)) }) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
        try writeAll(bytes, to: descriptor, path: path)
        try synchronize(descriptor, path: path)
    }

    /// Makes a file's bytes, or a folder's names, durable where the file system can.
    static func synchronize(_ descriptor: Int32, path: String) throws(FileError) {
        guard retrying({ fsync(descriptor) }) == 0 else {
            let code = errno
            if isRefusal(code) { return refusedSynchronization.store(true, ordering: .relaxed) }
            throw FileError(operation: .write, path: path, code: code)
        }
    }

    /// Whether a file system does not offer what was asked for, as network and FUSE mounts may not:
    /// nothing is wrong with the file.
    static func isRefusal(_ code: Int32) -> Bool {
        [EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP].contains(code)
    }

    /// Whether any has refused to make something durable.
    static let refusedSynchronization = Atomic(false)

    package static func read(_ path: String) throws(FileError) -> [UInt8] {
        let descriptor = try open(path, flags: O_RDONLY, for: .read)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = retrying {
                unsafe chunk.withUnsafeMutableBytes { buffer in
                    unsafe Foundation.read(descriptor, buffer.baseAddress, buffer.count)
                }
            }
            guard count >= 0 else { throw FileError(operation: .read, path: path, code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// The bytes from an offset on, at most so many; fewer only at the file's end, none behind it.
    static func read(
        _ path: String, from offset: Int, count: Int
    ) throws(FileError) -> [UInt8] {
        let descriptor = try open(path, flags: O_RDONLY, for: .read)
        defer { close(descriptor) }
        var code: Int32?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = retrying {
                    unsafe pread(
                        descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
                        off_t(offset + filled))
                }
                if read < 0 { code = errno }
                if read <= 0 { return }
                filled += read
            }
        }
        if let code { throw FileError(operation: .read, path: path, code: code) }
        return bytes
    }

    static func byteCount(_ path: String) throws(FileError) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw FileError(operation: .read, path: path, code: errno)
        }
        return Int(status.st_size)
    }

    /// Puts a file in place whole or not at all: written beside, synchronised, renamed. A crash at
    /// any point leaves the old file or the new one.
    package static func replace(_ path: String, with bytes: [UInt8]) throws(FileError) {
        removeLeftovers(of: path)
        let temporary = path + ".\(getpid()).tmp"
        do throws(FileError) {
            let descriptor = try makeTemporary(temporary)
            defer { close(descriptor) }
            try writeAll(bytes, to: descriptor, path: path)
            try synchronize(descriptor, path: path)
            CrashPoint.replacementSynchronized.pass()
        } catch {
            unsafe unlink(temporary)
            throw FileError(operation: .write, path: path, code: error.code)
        }
        guard unsafe rename(temporary, path) == 0 else {
            let code = errno
            unsafe unlink(temporary)
            throw FileError(operation: .write, path: path, code: code)
        }
        CrashPoint.replacementRenamed.pass()
        let descriptor = try open(parent(of: path), flags: O_RDONLY, for: .write)
        defer { close(descriptor) }
        try synchronize(descriptor, path: path)
    }

    /// A new file that nobody has put there: in a folder that others may write to, a link under its
    /// name would have its target overwritten.
    static func makeTemporary(_ path: String) throws(FileError) -> Int32 {
        // What an earlier process of this number has left.
        unsafe unlink(path)
        return try open(path, flags: O_WRONLY | O_CREAT | O_EXCL, for: .write)
    }

    /// Removes what processes that were killed while they replaced a file have left beside it.
    private static func removeLeftovers(of path: String) {
        let (folder, name) = split(path)
        let start = name + "."
        for name in (try? FileDisk().names(in: folder)) ?? []
        where name.hasPrefix(start) && name.hasSuffix(".tmp") {
            guard let process = pid_t(name.dropFirst(start.count).dropLast(4)),
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            unsafe unlink("\(folder)/\(name)")
        }
    }

    /// The names in a folder, sorted. Those that are not UTF-8 are apart, as they can be shown: no
    /// text is their path, and what is shown may be the name of another file.
    static func names(
        in folder: String
    ) throws(FileError) -> (names: [String], unusable: [String]) {
        guard let stream = unsafe opendir(folder) else {
            throw FileError(operation: .read, path: folder, code: errno)
        }
        defer { unsafe closedir(stream) }
        var (names, unusable): ([String], [String]) = ([], [])
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    if let name = unsafe String(validatingCString: $0) {
                        if name != ".", name != ".." { names.append(name) }
                    } else {
                        unusable.append(unsafe String(cString: $0))
                    }
                }
            }
        }
        guard errno == 0 else { throw FileError(operation: .read, path: folder, code: errno) }
        return (names.sorted(), unusable.sorted())
    }

    /// The folder that a file or folder stands in.
    static func parent(of path: String) -> String { split(path).folder }

    /// Foundation's own ways to do so trap where a path is a single letter.
    private static func split(_ path: String) -> (folder: String, name: String) {
        let whole = path.dropLast(path.reversed().prefix { $0 == "/" }.count)
        guard let slash = whole.lastIndex(of: "/") else {
            return (whole.isEmpty && !path.isEmpty ? "/" : ".", String(whole))
        }
        let folder = whole[..<slash]
        return (folder.isEmpty ? "/" : String(folder), String(whole[whole.index(after: slash)...]))
    }

    /// Makes a folder and those above it; one that exists already is left as it is.
    package static func makeFolders(_ path: String) throws(FileError) {
        if unsafe mkdir(path, 0o755) == 0 { return }
        switch errno {
        case EEXIST:
            var status = stat()
            guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw FileError(operation: .write, path: path, code: ENOTDIR)
            }
        case ENOENT:
            let folder = parent(of: path)
            guard folder != path else {
                throw FileError(operation: .write, path: path, code: ENOENT)
            }
            try makeFolders(folder)
            // Once more and no more: there are folders, /proc for one, that say so to every name.
            guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
                throw FileError(operation: .write, path: path, code: errno)
            }
        case let code:
            throw FileError(operation: .write, path: path, code: code)
        }
    }
}
