import CZeroMQ
import Glibc

/// What any thread uses to end the waiting of a `Poller` in another.
///
/// Signals that come before the poller looks are one signal: put the work into a queue first, then
/// signal; after the wait, empty the queue.
package final class WakeUp: Sendable {
    let descriptor: CInt

    package init() throws(ZMQError) {
        descriptor = try check("eventfd") { eventfd(0, CInt(EFD_NONBLOCK) | CInt(EFD_CLOEXEC)) }
    }

    deinit { close(descriptor) }

    /// Never waits and never fails: a counter that is full has been signalled.
    package func signal() {
        _ = uninterrupted { eventfd_write(descriptor, 1) }
    }

    /// Takes back the signals so far; `Poller.wait` does it for what it watches.
    func reset() {
        var count: eventfd_t = 0
        _ = uninterrupted { unsafe eventfd_read(descriptor, &count) }
    }
}
