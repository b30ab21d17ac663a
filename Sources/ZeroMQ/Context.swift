import CZeroMQ
import Glibc
import Synchronization

/// A context: the I/O threads and all sockets of a process. Threads may share it; sockets may not.
///
/// Every socket keeps its context alive, and `deinit` terminates, so that a context which is merely
/// dropped ends as soon as its last socket is closed.
@safe
package final class Context: Sendable {
    private struct Life {
        var openSocketCount = 0
        var monitorCount = 0
        var isTerminated = false
    }

    /// libzmq's contexts may be used from any thread; `life` keeps them from being used after their end.
    private nonisolated(unsafe) let pointer: UnsafeMutableRawPointer
    private let life = Mutex(Life())

    /// - Parameters:
    ///   - ioThreadCount: libzmq's own threads, 1 for every gigabyte a second or so.
    ///   - maximumSocketCount: a bound on the sockets that are open at a time.
    package init(ioThreadCount: Int = 1, maximumSocketCount: Int = 1023) throws(ZMQError) {
        precondition(ioThreadCount >= 1, "a context without I/O threads serves inproc only")
        guard let pointer = unsafe zmq_ctx_new() else {
            throw ZMQError(code: zmq_errno(), call: "zmq_ctx_new")
        }
        unsafe self.pointer = unsafe pointer
        try check("zmq_ctx_set", on: "\(ioThreadCount) I/O threads") {
            unsafe zmq_ctx_set(pointer, ZMQ_IO_THREADS, CInt(clamping: ioThreadCount))
        }
        try check("zmq_ctx_set", on: "\(maximumSocketCount) sockets") {
            unsafe zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, CInt(clamping: maximumSocketCount))
        }
    }

    deinit {
        // Sockets retain the context, so all of them are closed and this cannot wait for long.
        if !life.withLock({ $0.isTerminated }) {
            _ = uninterrupted { unsafe zmq_ctx_term(pointer) }
        }
    }

    /// The sockets, monitors included, that are open now.
    package var openSocketCount: Int { life.withLock { $0.openSocketCount } }

    /// Makes every call on a socket of this context throw `ETERM`, in whatever thread, at once and
    /// from now on, so that their owners close them.
    package func shutdown() {
        life.withLock { life in
            // It fails only on a pointer that is no context.
            if !life.isTerminated { _ = uninterrupted { unsafe zmq_ctx_shutdown(pointer) } }
        }
    }

    /// Shuts down, waits until the owners have closed all sockets, and frees the context.
    ///
    /// What then remains to be sent keeps it no longer than the longest linger time of its sockets.
    /// - Throws: `ETIMEDOUT` with the number of open sockets when they are not closed in time; the
    ///   context is then shut down but not freed, and may be terminated again.
    package func terminate(timeoutMilliseconds: Int) throws(ZMQError) {
        shutdown()
        let deadline = Deadline(afterMilliseconds: timeoutMilliseconds)
        // This happens once a process: looking every millisecond is simpler than a condition.
        while true {
            let (first, open) = life.withLock { life in
                let first = !life.isTerminated && life.openSocketCount == 0
                if first { life.isTerminated = true }
                return (first, life.openSocketCount)
            }
            if first {
                try check("zmq_ctx_term") { unsafe zmq_ctx_term(pointer) }
                return
            }
            if open == 0 { return }
            if deadline.remainingMilliseconds == 0 {
                throw ZMQError(
                    code: ETIMEDOUT, call: "zmq_ctx_term",
                    subject: "\(open) open \(open == 1 ? "socket" : "sockets")")
            }
            usleep(1000)
        }
    }

    /// Opens a socket, which must be given back by `close(_:)`.
    func open(_ type: CInt) throws(ZMQError) -> UnsafeMutableRawPointer {
        let isOpen = life.withLock { life in
            if !life.isTerminated { life.openSocketCount += 1 }
            return !life.isTerminated
        }
        guard isOpen else { throw ZMQError(code: ETERM, call: "zmq_socket") }
        guard let socket = unsafe zmq_socket(pointer, type) else {
            let code = zmq_errno()
            life.withLock { $0.openSocketCount -= 1 }
            throw ZMQError(code: code, call: "zmq_socket")
        }
        return unsafe socket
    }

    func close(_ socket: UnsafeMutableRawPointer) {
        // It fails only on a pointer that is no socket.
        _ = uninterrupted { unsafe zmq_close(socket) }
        life.withLock { $0.openSocketCount -= 1 }
    }

    /// An inproc address that no other monitor of this context has.
    func newMonitorAddress() -> String {
        life.withLock { life in
            life.monitorCount += 1
            return "inproc://lockstep.monitor.\(life.monitorCount)"
        }
    }
}

/// A point in monotonic time.
struct Deadline {
    private let nanoseconds: UInt64

    init(afterMilliseconds milliseconds: Int) {
        precondition(milliseconds >= 0, "every wait is bounded")
        nanoseconds = Deadline.now() + UInt64(milliseconds) * 1_000_000
    }

    /// Rounded up, so that a wait never ends early; 0 when the deadline has passed.
    var remainingMilliseconds: Int {
        let now = Deadline.now()
        return now >= nanoseconds ? 0 : Int((nanoseconds - now + 999_999) / 1_000_000)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
