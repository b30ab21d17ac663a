import Foundation
import Glibc
import Hashing
import LockstepProtocol
package import ZeroMQ

/// The key of a cluster: whoever has the file is a member, whoever has not gets nowhere.
///
/// From its 32 bytes follow the key pairs of all roles, so that there is nothing else to hand out.
/// It shows nothing of itself but its fingerprint.
package struct ClusterKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Of the sockets that bind: whoever connects speaks to the holder of the key and to nobody
    /// else.
    let listener: CurveKeyPair
    /// Of the sockets that connect, the only one that is let in.
    let member: CurveKeyPair
    /// Tells one key from another, and nothing of it: four groups of four hexadecimal digits.
    package let fingerprint: String

    /// What the file holds, for processes of this one.
    package let bytes: [UInt8]

    /// - Parameter bytes: 32.
    init(bytes: [UInt8]) throws(ZMQError) {
        // A core dump would hold it.
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        self.bytes = bytes
        listener = try CurveKeyPair(secretKey: .init(bytes: KeyDerivation.derive(1, from: bytes)))
        member = try CurveKeyPair(secretKey: .init(bytes: KeyDerivation.derive(2, from: bytes)))
        let digits = KeyDerivation.derive(3, from: bytes).prefix(8).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        fingerprint = stride(from: 0, to: 8, by: 2).map { digits[$0] + digits[$0 + 1] }
            .joined(separator: "-")
    }

    /// What CURVE adds to a frame, in bytes.
    static let frameOverheadByteCount = 33

    package var description: String { "key \(fingerprint)" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    // MARK: Files

    /// - Throws: ``RoleError`` with `refusedByKey`: what is not a key, or one that others may read,
    ///   is not used.
    package init(reading path: String) throws {
        func refused(_ reason: String, _ remedy: String) -> RoleError {
            RoleError(.refusedByKey, "key \(path): \(reason); \(remedy)")
        }
        let file = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw refused(
                unsafe String(cString: strerror(errno)),
                "make one with lockstep keys create, or copy the cluster's here")
        }
        defer { Glibc.close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw refused("it is not a file", "name the file that lockstep keys create has made")
        }
        guard status.st_size == KeyDerivation.keyByteCount else {
            throw refused(
                "it has \(status.st_size) bytes, and a key has \(KeyDerivation.keyByteCount)",
                "copy it again, byte for byte")
        }
        // A secret that the system hands to a service belongs to root and is read by its group.
        let isHandedOver = status.st_uid == 0 && geteuid() != 0
        guard status.st_mode & (isHandedOver ? 0o037 : 0o077) == 0 else {
            throw refused(
                "users other than its owner may read or write it (mode "
                    + "\(String(status.st_mode & 0o777, radix: 8)))", "chmod 600 \(path)")
        }
        try self.init(readingFrom: file, path)
    }

    /// The key that comes next from a pipe, or is all of a file that is read from.
    package init(readingPipe file: CInt) throws {
        var status = stat()
        let isKnown = unsafe fstat(file, &status) == 0
        let isFile = isKnown && status.st_mode & S_IFMT == S_IFREG
        guard isatty(file) == 0, !isFile || status.st_size == KeyDerivation.keyByteCount else {
            throw RoleError(
                .refusedByKey,
                "--key -: standard input is not a key; give the file's name, or write < cluster.key"
            )
        }
        var ready = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        // Nobody has to wait for a pipe that stays empty.
        guard unsafe poll(&ready, 1, Self.pipeMilliseconds) > 0 else {
            throw RoleError(
                .refusedByKey,
                "--key -: no key has come through standard input within "
                    + "\(Self.pipeMilliseconds / 1_000) s; write < cluster.key")
        }
        try self.init(readingFrom: file, "standard input")
    }

    private static let pipeMilliseconds: Int32 = 10_000

    /// The key that comes next from a file or a pipe, of which no more is read.
    private init(readingFrom file: CInt, _ name: String) throws {
        var bytes: [UInt8] = []
        while bytes.count < KeyDerivation.keyByteCount {
            var rest = [UInt8](repeating: 0, count: KeyDerivation.keyByteCount - bytes.count)
            let count = unsafe read(file, &rest, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw RoleError(
                    .refusedByKey,
                    "key \(name): it ends after \(bytes.count) bytes, and a key has "
                        + "\(KeyDerivation.keyByteCount); give it again")
            }
            bytes += rest.prefix(count)
        }
        try self.init(bytes: bytes)
    }

    /// Makes a new key in a file that only its owner may read; one that is there stays as it is.
    ///
    /// - Throws: ``RoleError`` with `cannotWrite`.
    package static func create(at path: String) throws -> ClusterKey {
        func failed(_ code: CInt) -> RoleError {
            let reason =
                code == EEXIST
                ? "there is one already; remove it, or give another name"
                : unsafe String(cString: strerror(code)) + "; choose another place"
            return RoleError(.cannotWrite, "key \(path): \(reason)")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try? FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        // Written beside, and linked: whoever finds the file finds all of it.
        var temporary = Array("\(path).XXXXXX".utf8CString)
        let file = unsafe mkstemp(&temporary)
        guard file >= 0 else { throw failed(errno) }
        defer {
            Glibc.close(file)
            _ = unsafe unlink(temporary)
        }
        let key = try ClusterKey.make()
        guard unsafe write(file, key.bytes, key.bytes.count) == key.bytes.count,
            fsync(file) == 0, unsafe link(temporary, path) == 0
        else { throw failed(errno) }
        return key
    }

    /// The key in a file that is made where it is missing.
    ///
    /// - Returns: with whether it was made.
    package static func own(at path: String) throws -> (key: ClusterKey, isNew: Bool) {
        if FileManager.default.fileExists(atPath: path) {
            return (try ClusterKey(reading: path), false)
        }
        do {
            return (try create(at: path), true)
        } catch let error as RoleError {
            // Another process may have been quicker.
            if let key = try? ClusterKey(reading: path) { return (key, false) }
            throw error
        }
    }

    /// A key that is in no file, for a cluster that one process starts.
    package static func make() throws(ZMQError) -> ClusterKey {
        try ClusterKey(bytes: KeyDerivation.makeKey())
    }

    /// Where a key is looked for, if none is named: `$XDG_CONFIG_HOME/lockstep/cluster.key`.
    package static func defaultPath(environment: [String: String]) -> String {
        let home =
            environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? FileManager.default.homeDirectoryForCurrentUser.path
        let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (configuration ?? home + "/.config") + "/lockstep/cluster.key"
    }
}
