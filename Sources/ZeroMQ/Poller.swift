import CZeroMQ
import Glibc

/// Waits for the first of several sockets and wake-ups, up to a time.
///
/// A wait allocates nothing (libzmq does beyond 16 members).
@safe
package struct Poller: ~Copyable {
    package struct Events: OptionSet, Sendable {
        package let rawValue: Int16

        package init(rawValue: Int16) { self.rawValue = rawValue }

        package static let readable = Events(rawValue: Int16(ZMQ_POLLIN))
        package static let writable = Events(rawValue: Int16(ZMQ_POLLOUT))
    }

    /// A member of the poller that gave it, until it is removed.
    package struct Member: Hashable, Sendable {
        fileprivate let index: Int
    }

    private enum Source {
        case none
        case socket(SocketHandle)
        case wakeUp(WakeUp)
    }

    private var sources: [Source] = []
    private var items: [zmq_pollitem_t] = unsafe []

    package init() {}

    /// Watches a socket. Remove it before it is closed.
    package mutating func add(_ socket: borrowing Socket, for events: Events = .readable) -> Member
    {
        let item = unsafe zmq_pollitem_t(
            socket: socket.handle.pointer, fd: -1, events: events.rawValue, revents: 0)
        return unsafe add(.socket(socket.handle), item)
    }

    /// Watches for what a monitor has to tell.
    package mutating func add(_ monitor: borrowing HandshakeMonitor) -> Member {
        add(monitor.events)
    }

    /// Watches a wake-up, which becomes readable when it was signalled.
    package mutating func add(_ wakeUp: WakeUp) -> Member {
        unsafe add(
            .wakeUp(wakeUp),
            zmq_pollitem_t(
                socket: nil, fd: wakeUp.descriptor, events: Events.readable.rawValue, revents: 0))
    }

    package mutating func remove(_ member: Member) {
        sources[member.index] = .none
        // poll(2) passes over negative descriptors.
        unsafe items[member.index] = zmq_pollitem_t(socket: nil, fd: -1, events: 0, revents: 0)
    }

    /// Waits until a member has an event, but not longer than a time. 0 looks without waiting.
    ///
    /// A signal of the system does not end it. Wake-ups that ended it are reset before it returns.
    /// - Returns: the number of members with events; 0 when the time is over.
    @discardableResult
    package mutating func wait(timeoutMilliseconds: Int) throws(ZMQError) -> Int {
        for case .socket(let handle) in sources {
            precondition(!handle.isClosed, "a closed socket is still in a poller")
        }
        let deadline = Deadline(afterMilliseconds: timeoutMilliseconds)
        let count = unsafe items.count
        let readyCount = try unsafe items.withUnsafeMutableBufferPointer {
            (buffer) throws(ZMQError) in
            try check("zmq_poll") {
                unsafe zmq_poll(buffer.baseAddress, CInt(count), deadline.remainingMilliseconds)
            }
        }
        for index in sources.indices {
            if case .wakeUp(let wakeUp) = sources[index], unsafe items[index].revents != 0 {
                wakeUp.reset()
            }
        }
        return Int(readyCount)
    }

    /// What the last wait found.
    package func events(of member: Member) -> Events {
        unsafe Events(rawValue: items[member.index].revents)
    }

    private mutating func add(_ source: Source, _ item: zmq_pollitem_t) -> Member {
        for index in sources.indices {
            guard case .none = sources[index] else { continue }
            sources[index] = source
            unsafe items[index] = unsafe item
            return Member(index: index)
        }
        sources.append(source)
        unsafe items.append(item)
        return Member(index: sources.count - 1)
    }
}

/// A point in monotonic time.
private struct Deadline {
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
