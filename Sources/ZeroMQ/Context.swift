import CZeroMQ
import Glibc

/// A context: the I/O thread and all sockets of a process. Threads may share it; sockets may not.
///
/// Every socket keeps its context alive, and `deinit` terminates, so that a context ends as soon as
/// it is dropped and its last socket is closed, and has sent what lingers.
///
/// Where a file descriptor lacks, libzmq does not fail but aborts: see ``FileDescriptorLimit``
/// first.
@safe
package final class Context: Sendable {
    /// libzmq's contexts may be used from any thread.
    private nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

    /// libzmq 4.3.4 takes the first automatic routing id of a ROUTER, and the part of its pauses
    /// that is to differ between processes, from `rand()`, which it never seeds: without this the
    /// first id is `00 6b8b4567` in every process, and all workers reconnect in the same instant.
    private static let seeding: Void = srand(.random(in: .min ... .max))

    package init() throws(ZMQError) {
        Context.seeding
        guard let pointer = unsafe zmq_ctx_new() else {
            throw ZMQError(code: zmq_errno(), call: "zmq_ctx_new")
        }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        // Sockets retain the context, so all of them are closed and this cannot wait for long.
        _ = uninterrupted { unsafe zmq_ctx_term(pointer) }
    }

    /// Opens a socket, to be closed by its owner.
    func open(_ type: CInt) throws(ZMQError) -> UnsafeMutableRawPointer {
        guard let socket = unsafe zmq_socket(pointer, type) else {
            throw ZMQError(code: zmq_errno(), call: "zmq_socket")
        }
        return unsafe socket
    }
}
