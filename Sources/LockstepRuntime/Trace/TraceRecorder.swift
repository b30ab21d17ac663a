import LockstepProtocol
import TrainingPlan
import ZeroMQ

/// What one member notes of its work for a timeline, and sends to the coordinator: in a traced
/// session only, and then without an allocation in a step.
///
/// It belongs to the thread of the member's loop. Frames leave together with a heartbeat, because
/// each wakes two other threads, or when most are full. What does not fit before is left out.
@safe final class TraceRecorder {
    private static let capacity = Limits.maximumTraceByteCount / TraceEvent.byteCount
    /// A megabyte: what a member does in a heartbeat's time at ten thousand steps a second.
    private static let frameCount = 64

    /// A ring: those from `firstUnsent` to before `current` are full.
    private let frames: [InFlight<FrameMemory>]
    private var firstUnsent = 0
    private var current = 0
    /// Events in the current one.
    private var count = 0
    private var payload: UnsafeMutableRawBufferPointer
    /// The newest span, stored or not.
    private(set) var last: TraceEvent?
    /// Whether this thread has done nothing since but what followed from it.
    private var isContinued = false
    private var difference = TraceBatch.unknownDifference

    init() {
        frames = (0..<Self.frameCount).map { _ in
            InFlight(FrameMemory(payloadByteCount: Limits.maximumTraceByteCount))
        }
        unsafe payload = frames[0].memory.payload
    }

    /// Takes note of an assignment's arrival.
    ///
    /// - Parameters:
    ///   - recorder: the member's. There is one from the first assignment of a traced session on.
    ///   - clock: of the coordinator at its sending; 0 where the session is not traced.
    static func note(_ recorder: inout TraceRecorder?, clock: UInt64) {
        guard clock != 0 else {
            recorder = nil
            return
        }
        let own = recorder ?? TraceRecorder()
        recorder = own
        own.difference = min(
            own.difference, Int64(bitPattern: SystemClock.nanoseconds &- clock))
    }

    // MARK: Spans

    /// When the next span begins: where the last one ended, if it follows at once.
    var begun: UInt64 {
        if isContinued, let last { return last.end }
        return SystemClock.nanoseconds
    }

    /// What is done now follows from something else.
    func pause() { isContinued = false }

    func record(_ event: TraceEvent) {
        last = event
        isContinued = true
        if count == Self.capacity, !advance() { return }
        unsafe event.store(in: payload, at: count)
        count += 1
    }

    /// The wait for what the step's next span needs: since the last span of the same step.
    func recordWait(_ run: RunIndex, _ step: UInt64, until end: UInt64) {
        guard let last, last.run == run, last.step == step else { return }
        record(TraceEvent(.wait, run, step, from: last.end, to: end))
    }

    /// The sends of a step's weights to all workers are one span.
    func recordBroadcast(_ address: StepAddress, from start: UInt64) {
        var event = TraceEvent(
            .broadcast, address.run, address.step.rawValue, shard: address.shard, from: start,
            to: SystemClock.nanoseconds)
        if isContinued, let last, last.kind == .broadcast, last.step == event.step, count > 0 {
            count -= 1
            event.duration = event.end &- last.start
            event.start = last.start
        }
        record(event)
    }

    /// The next frame of the ring, if it may be written to.
    private func advance() -> Bool {
        let next = (current + 1) % frames.count
        guard next != firstUnsent, frames[next].isIdle else { return false }
        current = next
        count = 0
        unsafe payload = frames[next].memory.payload
        return true
    }

    // MARK: Frames

    /// Time to send them, heartbeat or not.
    var isDue: Bool {
        (current + frames.count - firstUnsent) % frames.count >= frames.count * 3 / 4
    }

    /// Sends what there is. What is lost of it is not sent again.
    func send(_ link: MemberLink, _ wire: Wire, over network: any Transport) throws {
        while let message = message(link.session, link.incarnation, wire) {
            _ = try network.send(message, to: .coordinator)
        }
    }

    /// The next frame that is to be sent, from where it lies; nil where there is none.
    private func message(_ session: SessionID, _ incarnation: Incarnation, _ wire: Wire) -> Message?
    {
        var eventCount = Self.capacity
        let sent = firstUnsent
        if sent == current {
            eventCount = count
            guard eventCount > 0, advance() else { return nil }
        }
        firstUnsent = (sent + 1) % frames.count
        let header = FrameHeader(
            .traceEvents(
                TraceBatch(
                    eventCount: UInt32(eventCount), clock: HostClock.identity,
                    sent: SystemClock.nanoseconds, difference: difference)),
            session: session, incarnation: incarnation)
        difference = TraceBatch.unknownDifference
        let frame = unsafe UnsafeMutableRawBufferPointer(
            rebasing: frames[sent].memory.frame[
                ..<(FrameHeader.byteCount + eventCount * TraceEvent.byteCount)])
        unsafe wire.seal(header, frame)
        return unsafe frames[sent].message(frame)
    }
}
