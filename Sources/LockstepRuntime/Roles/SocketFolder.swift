import Foundation
import LockstepProtocol
import RunRecords
package import ZeroMQ

/// The sockets of a cluster on one host, in a folder that no other user can enter (mode 0700), so
/// that no other user can join, read or disturb it. It goes with the cluster.
package final class SocketFolder {
    private let path: String
    private let lock: FolderLock

    /// Nobody gives a folder of their own such a name.
    private static let prefix = ".lockstep-sockets-"
    private static let suffixLength = 6

    /// Makes one in `$XDG_RUNTIME_DIR`, or else in /tmp, and removes those that killed processes
    /// have left there.
    ///
    /// - Throws: ``RoleError`` with `cannotWrite`.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let runtime = environment["XDG_RUNTIME_DIR"] ?? ""
        let place = Self.isUsable(runtime) ? runtime : "/tmp"
        Self.removeAbandoned(in: place)
        SharedMemory.removeAbandoned()
        var made: (path: String, lock: FolderLock)?
        // One that is not locked yet looks abandoned to a process that starts at the same moment.
        for _ in 0..<Self.attempts where made == nil {
            var template = Array("\(place)/\(Self.prefix)XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else {
                let reason = unsafe String(cString: strerror(errno))
                throw RoleError(
                    .cannotWrite,
                    "cannot make a folder for sockets in \(place): \(reason); set XDG_RUNTIME_DIR to a "
                        + "folder of yours, or use --bind tcp://127.0.0.1:0")
            }
            let path = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
            made = (try? FolderLock(path)).map { (path, $0) }
        }
        guard let made else {
            throw RoleError(.cannotWrite, "cannot lock a folder for sockets in \(place)")
        }
        (path, lock) = made
    }

    deinit {
        Self.remove(path)
        // Of this cluster too: a process may have been killed before its peer had opened what it
        // made.
        SharedMemory.removeAbandoned()
    }

    private static let attempts = 8

    /// Where the coordinator of the cluster binds; its data ports are beside it.
    package func coordinator() throws -> Endpoint { try Endpoint("ipc://\(path)/coordinator") }

    /// Whether a folder is this user's alone, and its name leaves room for that of a socket.
    private static func isUsable(_ place: String) -> Bool {
        var status = stat()
        return place.hasPrefix("/") && place.utf8.count <= longestPlace
            && place.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && (unsafe lstat(place, &status)) == 0 && isOwnFolder(status)
            && status.st_mode & 0o077 == 0 && (unsafe access(place, W_OK)) == 0
    }

    private static let longestPlace = 64

    private static func isOwnFolder(_ status: stat) -> Bool {
        status.st_uid == geteuid() && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func removeAbandoned(in place: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        for name in names
        where name.hasPrefix(prefix) && name.utf8.count == prefix.utf8.count + suffixLength {
            let path = "\(place)/\(name)"
            var status = stat()
            guard unsafe lstat(path, &status) == 0, isOwnFolder(status),
                unsafe access("\(path)/\(FolderLock.fileName)", F_OK) == 0,
                let lock = try? FolderLock(path)
            else { continue }
            remove(path)
            withExtendedLifetime(lock) {}
        }
    }

    /// Removes sockets and the lock, and the folder if that was all that was in it.
    private static func remove(_ path: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names {
            let file = "\(path)/\(name)"
            var status = stat()
            guard unsafe lstat(file, &status) == 0,
                status.st_mode & S_IFMT == S_IFSOCK || name == FolderLock.fileName
            else { continue }
            unsafe unlink(file)
        }
        unsafe rmdir(path)
    }
}
