package import ZeroMQ

/// A way to one peer of this host that needs no socket for its bytes: between two roles of one
/// thread, or through memory that two processes share.
///
/// Messages come whole and in order, or are not taken at all. A channel belongs to one thread.
package protocol DirectChannel: AnyObject {
    var hasMessage: Bool { get }

    /// Takes the next message, if one has come.
    func receive(into message: inout Message) -> Bool

    /// - Parameter message: is left empty, unless there is no room for it.
    func send(_ message: inout Message) -> ChannelDelivery

    /// Says whether this side sleeps from now on, until something wakes it, or looks by itself.
    func sleeps(_ isAsleep: Bool)
}

package enum ChannelDelivery: Hashable, Sendable {
    case sent
    /// It is there, and the other side has to be woken to see it.
    case sentToSleeper
    /// There is no room, or nobody has opened the other side yet.
    case refused
}

/// A way between the two roles of a thread: messages change hands, and no byte is moved.
package final class LocalChannel: DirectChannel {
    private let incoming: MessageQueue
    private let outgoing: MessageQueue

    private init(_ incoming: MessageQueue, _ outgoing: MessageQueue) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// Both ends.
    package static func pair() -> (LocalChannel, LocalChannel) {
        let (there, back) = (MessageQueue(), MessageQueue())
        return (LocalChannel(there, back), LocalChannel(back, there))
    }

    package var hasMessage: Bool { !incoming.isEmpty }

    package func receive(into message: inout Message) -> Bool { incoming.take(into: &message) }

    package func send(_ message: inout Message) -> ChannelDelivery {
        outgoing.put(&message) ? .sent : .refused
    }

    /// Whoever sleeps is the thread that would send.
    package func sleeps(_ isAsleep: Bool) {}
}

/// Messages of one thread, first in, first out.
private final class MessageQueue {
    private let slots = (0..<capacity).map { _ in MessageSlot() }
    private var first = 0
    private var count = 0

    /// The nodes of some steps and what is asked about them; what does not fit is sent again, as on
    /// any way.
    private static let capacity = 64

    var isEmpty: Bool { count == 0 }

    func put(_ message: inout Message) -> Bool {
        guard count < Self.capacity else { return false }
        swap(&slots[(first + count) % Self.capacity].message, &message)
        count += 1
        return true
    }

    func take(into message: inout Message) -> Bool {
        guard count > 0 else { return false }
        message.clear()
        swap(&slots[first].message, &message)
        first = (first + 1) % Self.capacity
        count -= 1
        return true
    }
}
