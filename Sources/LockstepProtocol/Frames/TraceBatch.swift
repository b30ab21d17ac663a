/// What a member's frame of trace events says about them: their number, and what its clock is to
/// the coordinator's. The machines judge by none of it.
package struct TraceBatch: Hashable, Sendable {
    package var eventCount: UInt32
    /// Which clock took the times: the same number for processes that share one, 0 where that is
    /// not known.
    package var clock: UInt64
    /// When the frame was sent, in nanoseconds of that clock.
    package var sent: UInt64
    /// The smallest difference since the last such frame between that clock at an assignment's
    /// arrival and the coordinator's at its sending, in nanoseconds; ``unknownDifference`` where
    /// none has come.
    package var difference: Int64

    /// Of one event in the payload.
    package static let eventByteCount = 32
    package static let unknownDifference = Int64.max

    package init(
        eventCount: UInt32, clock: UInt64, sent: UInt64, difference: Int64 = unknownDifference
    ) {
        self.eventCount = eventCount
        self.clock = clock
        self.sent = sent
        self.difference = difference
    }
}
