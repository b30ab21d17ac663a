import Glibc

/// The number of files and sockets that this process may have open, `RLIMIT_NOFILE`.
///
/// libzmq aborts where it lacks one for itself, and spins where it lacks one for a connection that
/// waits to be accepted. So make room before a `Context`.
package enum FileDescriptorLimit {
    /// What a context takes, with room for strangers that shake hands and for names being resolved.
    ///
    /// Measured with libzmq 4.3.4: the context takes 5 (a mailbox each and a poller for its I/O
    /// thread and its reaper, one mailbox of its own), a socket 1 and another for the address that
    /// it listens on or connects to, and each connection that was accepted 1.
    /// - Parameters:
    ///   - sockets: those open at a time, each with one tcp or ipc address. A `HandshakeMonitor`
    ///     counts as one. inproc takes none.
    ///   - connections: those that are accepted, on all sockets together.
    package static func needed(sockets: Int, connections: Int) -> Int {
        5 + 2 * sockets + connections + spareCount
    }

    private static let spareCount = 16

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Makes sure that `count` more than are open now can be opened, raising the soft limit if need
    /// be.
    ///
    /// - Parameter better: so many, where the hard limit allows it.
    package static func reserve(
        _ count: Int, better: Int? = nil
    ) throws(FileDescriptorLimitError) {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else {
            preconditionFailure("getrlimit knows no RLIMIT_NOFILE")
        }
        let open = openCount() ?? Int(clamping: limit.rlim_cur)
        let needed = open + count
        let hardLimit = limit.rlim_max
        let wanted = max(rlim_t(needed), min(rlim_t(open + (better ?? count)), hardLimit))
        if limit.rlim_cur >= wanted { return }
        limit.rlim_cur = wanted
        guard hardLimit >= rlim_t(needed), unsafe setrlimit(resource, &limit) == 0 else {
            throw FileDescriptorLimitError(limit: Int(clamping: hardLimit), needed: needed)
        }
    }

    /// Makes room for a context that serves others: at least a rack of hosts, and where the hard
    /// limit allows it, a hall.
    package static func reserveServing(sockets: Int) throws(FileDescriptorLimitError) {
        try reserve(
            needed(sockets: sockets, connections: 32),
            better: needed(sockets: sockets, connections: 256))
    }

    /// Nil where not even one more can be opened to count them.
    private static func openCount() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // ".", "..", and the directory itself.
        return count - 3
    }
}

/// A process that may not open as many files and sockets as it needs.
package struct FileDescriptorLimitError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The hard limit.
    package let limit: Int
    package let needed: Int

    package var description: String {
        "at most \(limit) files and connections may be open (RLIMIT_NOFILE), and \(needed) are "
            + "needed; run `ulimit -n \(needed)` in the shell first, and where that is refused, have "
            + "the hard limit raised"
    }
}
