import Foundation
import Glibc

/// Memory that two processes of one user on one host share, under a name that goes as soon as both
/// have it.
///
/// Its bytes stay mapped as long as anyone here holds a message that lies in them.
@safe package final class SharedMemory: @unchecked Sendable {
    let name: String
    let bytes: UnsafeMutableRawBufferPointer
    private let hasName: Bool

    /// Then come the process that made it, and a random number.
    private static let prefix = "/lockstep-"
    /// Where Linux shows what has a name.
    private static let folder = "/dev/shm"

    /// Makes one, of zeros, for this user only.
    ///
    /// - Returns: nil where the host has no room or no such memory: the sockets do as well.
    init?(byteCount: Int) {
        let name =
            "\(Self.prefix)\(getpid())-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let file = unsafe shm_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        defer { close(file) }
        // Without room for it, a page that is touched later would end the process.
        guard posix_fallocate(file, 0, byteCount) == 0,
            let bytes = unsafe Self.map(file, byteCount)
        else {
            unsafe shm_unlink(name)
            return nil
        }
        self.name = name
        unsafe self.bytes = unsafe bytes
        hasName = true
    }

    /// Opens what another process of this user has made, and takes its name away.
    init?(opening name: String) {
        guard name.hasPrefix(Self.prefix), !name.dropFirst().contains("/") else { return nil }
        let file = unsafe shm_open(name, O_RDWR | O_CLOEXEC, 0)
        guard file >= 0 else { return nil }
        defer {
            close(file)
            unsafe shm_unlink(name)
        }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_uid == geteuid(), status.st_size > 0,
            let bytes = unsafe Self.map(file, Int(status.st_size))
        else { return nil }
        self.name = name
        unsafe self.bytes = unsafe bytes
        hasName = false
    }

    deinit {
        unsafe munmap(bytes.baseAddress, bytes.count)
        // Also where nobody has opened it.
        if hasName { unsafe shm_unlink(name) }
    }

    var byteCount: Int { unsafe bytes.count }

    /// The process that made it.
    var maker: pid_t { Self.maker(of: name.dropFirst()) ?? 0 }

    /// Removes what killed processes of this user have left.
    package static func removeAbandoned() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let maker = maker(of: name[...]), kill(maker, 0) != 0, errno == ESRCH else {
                continue
            }
            // Of another user it fails.
            unsafe shm_unlink("/\(name)")
        }
    }

    private static func maker(of name: Substring) -> pid_t? {
        let prefix = prefix.dropFirst()
        guard name.hasPrefix(prefix) else { return nil }
        return name.dropFirst(prefix.count).split(separator: "-").first.flatMap { pid_t($0) }
    }

    private static func map(_ file: CInt, _ byteCount: Int) -> UnsafeMutableRawBufferPointer? {
        let start = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else { return nil }
        return unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }
}
