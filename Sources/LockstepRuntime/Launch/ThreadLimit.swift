import Foundation

/// A limit of the system that leaves a command too little: which, and what to do.
package struct SystemLimitError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

/// The number of threads that this process, and those that it starts, may have.
///
/// libzmq aborts where it gets none, and much of what waits for a thread waits for ever. So they
/// are started once, all at a time, before anything depends on them.
package enum ThreadLimit {
    /// Beside those that compute: of libzmq, for signals, the console, names, data, checkpoints.
    package static let ownThreads = 12

    static let remedy =
        "raise the limit of processes and threads (ulimit -u, or pids.max of a control group), end "
        + "others, or choose fewer --workers and --threads"

    /// Makes sure that so many can be started now.
    ///
    /// - Parameters:
    ///   - own: of this process.
    ///   - others: of processes that it is going to start. They count for the user's limit only.
    package static func reserve(_ own: Int, others: Int = 0) throws(SystemLimitError) {
        let needed = own + min(others, maximumOthers)
        let before = threadCount
        let gate = DispatchSemaphore(value: 0)
        var threads: [pthread_t] = []
        var hasRoom = true
        while hasRoom, threads.count < needed {
            let stack = threads.count < own ? nil : smallStackByteCount
            if let thread = start(behind: gate, stackByteCount: stack) {
                threads.append(thread)
            } else {
                hasRoom = false
            }
        }
        let cause = hasRoom ? nil : Self.cause()
        for _ in threads { gate.signal() }
        for thread in threads { pthread_join(thread, nil) }
        // A thread that is joined may count for a moment more.
        for _ in 0..<maximumLooks {
            if threadCount <= before { break }
            usleep(1_000)
        }
        guard let cause else { return }
        throw SystemLimitError(
            description:
                "only \(threads.count) of the \(needed) threads that this takes can be started: "
                + cause)
    }

    /// More are not tried: that would take a while, and other programs want some, too.
    private static let maximumOthers = 4_096
    private static let smallStackByteCount = 1 << 16
    private static let maximumLooks = 500

    private static func start(
        behind gate: DispatchSemaphore, stackByteCount: Int?
    ) -> pthread_t? {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        if let stackByteCount { unsafe pthread_attr_setstacksize(&attributes, stackByteCount) }
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(gate)
        let code = unsafe pthread_create(&thread, &attributes, waitAtGate, box.toOpaque())
        guard code == 0 else {
            unsafe box.release()
            return nil
        }
        return thread
    }

    /// Of this process; 0 where the system does not tell.
    private static var threadCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }

    /// The bytes of a thread's stack.
    package static var stackByteCount: Int {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        var byteCount = 0
        unsafe pthread_attr_getstacksize(&attributes, &byteCount)
        return byteCount
    }

    /// Why there is no other, looked for while all of them are there.
    private static func cause() -> String {
        if let room = MemoryLimit.room, room.byteCount < 2 * stackByteCount {
            return
                "\(room.limit), and each takes \(stackByteCount >> 20) MB of it for its stack; raise it, "
                + "or choose fewer --threads"
        }
        var limit = rlimit()
        let resource = __rlimit_resource_t(__RLIMIT_NPROC.rawValue)
        if unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < rlim_t(Int32.max),
            geteuid() != 0
        {
            return
                "this user may have \(limit.rlim_cur) processes and threads (RLIMIT_NPROC); \(remedy)"
        }
        return "the system has no room for more; \(remedy)"
    }
}

private func waitAtGate(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    unsafe Unmanaged<DispatchSemaphore>.fromOpaque(argument).takeRetainedValue().wait()
    return nil
}
