/// The decisions of one role, apart from their effects: no socket, clock, thread or float.
///
/// Events come as calls, in the order in which they happen, from one thread; each appends what is
/// to be done to `actions`, which the caller does in order. Time comes with the events; time during
/// which the process was suspended has not passed for its machine.
public protocol RoleMachine: Sendable {
    /// What may be sent to the role: types for others do not come this far.
    associatedtype Inbound: Sendable
    associatedtype Action: Sendable
    /// What its engine has done.
    associatedtype Event: Sendable

    /// The ports are open.
    mutating func start(now: Instant, into actions: inout [Action])

    /// Time passes: call it several times in the shortest interval of ``Limits``.
    mutating func tick(now: Instant, into actions: inout [Action])

    /// A frame whose header, length and checksum are right; its payload is in hand until the next
    /// call.
    ///
    /// - Parameter peer: who came to a port of this role; nil for what comes over its own
    ///   connections.
    mutating func receive(
        _ message: Inbound, from peer: PeerHandle?, session: SessionID, incarnation: Incarnation,
        now: Instant, into actions: inout [Action])

    /// A frame that is not ours, or does not belong on the connection that it came by.
    mutating func malformed(
        _ error: FrameError, from peer: PeerHandle?, now: Instant, into actions: inout [Action])

    mutating func handle(_ event: Event, now: Instant, into actions: inout [Action])

    /// The person or the system asks the role to leave.
    mutating func interrupt(_ reason: StopReason, now: Instant, into actions: inout [Action])

    /// Why the role has ended, once it has: close everything and leave.
    var end: StopReason? { get }

    /// The frames that were not used.
    var drops: DropLog { get }
}
