import CrashPoints
import Foundation

/// Keeps a folder to one process. The system gives it up when the process ends, however that
/// happens.
package final class FolderLock: Sendable {
    /// Who has a folder, as its file says.
    private struct Holder: Codable {
        var host: String
        var pid: Int32
        /// ISO 8601, UTC.
        var since: String
    }

    /// Stays when the lock is given up: removing it would let two processes hold two files of one
    /// name.
    package static let fileName = "lock"

    private let descriptor: Int32
    /// What a person should know where the file system has no locks, which is no reason not to go
    /// on.
    package let warning: String?

    /// Makes the folder where it is missing.
    ///
    /// - Throws: ``FolderInUse`` where another process has it, ``FileError`` where nothing can be
    ///   written.
    package init(_ folder: String) throws {
        try Files.makeFolders(folder)
        let path = "\(folder)/\(Self.fileName)"
        let descriptor = try Files.open(path, flags: O_RDWR | O_CREAT, for: .write)
        // Whoever can open it can take the lock: no other user.
        _ = fchmod(descriptor, 0o600)
        let code = Files.retrying { flock(descriptor, LOCK_EX | LOCK_NB) } == 0 ? 0 : errno
        switch code {
        case 0: warning = nil
        case EWOULDBLOCK:
            close(descriptor)
            throw FolderInUse(path: folder, holder: Self.holder(path))
        case _ where code == ENOLCK || Files.isRefusal(code):
            warning =
                "\(folder) cannot be locked, because its file system has no locks: make sure that no "
                + "other process uses it"
        default:
            close(descriptor)
            throw FileError(operation: .write, path: path, code: code)
        }
        self.descriptor = descriptor
        CrashPoint.folderLocked.pass()
        let holder = Holder(
            host: ProcessInfo.processInfo.hostName, pid: getpid(),
            since: Date().formatted(.iso8601))
        // For people only: the lock itself is in the system.
        guard let text = try? JSONEncoder().encode(holder) else { return }
        _ = ftruncate(descriptor, 0)
        try? Files.writeAll(Array(text) + [UInt8(ascii: "\n")], to: descriptor, path: path)
    }

    deinit {
        _ = ftruncate(descriptor, 0)
        close(descriptor)
    }

    private static func holder(_ path: String) -> String? {
        guard let bytes = try? Files.read(path),
            let holder = try? JSONDecoder().decode(Holder.self, from: Data(bytes))
        else { return nil }
        return "process \(holder.pid) on \(holder.host), since \(holder.since)"
    }
}

/// Another process is at work in a folder (exit code 75).
package struct FolderInUse: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// Process, host and time; nil where the file does not tell.
    package let holder: String?

    package var description: String {
        "\(path) is in use by another process (\(holder ?? "unknown")); "
            + "wait until it has finished, or "
            + "choose another place"
    }
}
