import LockstepProtocol
import TrainingPlan
import ZeroMQ

/// What one member notes of its work for a timeline, and sends to the coordinator: in a traced
/// session only, and then without an allocation in a step.
///
/// It belongs to the thread of the member's loop. What does not fit before it is sent is left out.
final class TraceRecorder {
    private static let capacity = Limits.maximumTraceByteCount / TraceEvent.byteCount
    /// So many of a member's frames may be on their way at a time.
    private static let maximumFrames = 4
    /// Sends of one broadcast follow each other by less; later ones were asked for.
    private static let broadcastGapNanoseconds: UInt64 = 50_000

    private var frames: [InFlight<FrameMemory>]
    private var count = 0
    /// The last one recorded, which may still grow; nil where it has left already.
    private var last: TraceEvent?
    /// Of the newest span, whether it has left or not.
    private(set) var lastEnd: (run: RunIndex, step: UInt64, nanoseconds: UInt64)?
    private var difference = TraceBatch.unknownDifference

    private init() {
        frames = (0..<2).map { _ in Self.frame() }
    }

    private static func frame() -> InFlight<FrameMemory> {
        InFlight(FrameMemory(payloadByteCount: Limits.maximumTraceByteCount))
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

    func record(_ event: TraceEvent) {
        lastEnd = (event.run, event.step, event.end)
        guard count < Self.capacity else {
            last = nil
            return
        }
        unsafe event.store(in: frames[0].memory.payload, at: count)
        count += 1
        last = event
    }

    /// The wait for what a step's next span needs: since the last span of the same step.
    func recordWait(
        _ run: RunIndex, _ step: UInt64, shard: ShardIndex? = nil, until end: UInt64
    ) {
        guard let lastEnd, lastEnd.run == run, lastEnd.step == step else { return }
        record(TraceEvent(.wait, run, step, shard: shard, from: lastEnd.nanoseconds, to: end))
    }

    /// The sends of a step's weights to all workers are one span.
    func recordBroadcast(_ address: StepAddress, from start: UInt64, to end: UInt64) {
        let (run, step, shard) = (address.run, address.step.rawValue, address.shard)
        guard let open = last, open.kind == .broadcast, open.run == run, open.step == step,
            start &- open.end < Self.broadcastGapNanoseconds
        else {
            return record(
                TraceEvent(.broadcast, run, step, shard: shard, from: start, to: end))
        }
        count -= 1
        record(TraceEvent(.broadcast, run, step, shard: shard, from: open.start, to: end))
    }

    /// Time to send them: there is room for those of a step yet.
    var isDue: Bool { count >= Self.capacity * 3 / 4 }

    /// The events since the last time, from where they lie; nil where there are none, or no room
    /// for others: then they are left out.
    func message(_ session: SessionID, _ incarnation: Incarnation, _ wire: Wire) -> Message? {
        guard count > 0 else { return nil }
        let byteCount = FrameHeader.byteCount + count * TraceEvent.byteCount
        defer {
            count = 0
            last = nil
            difference = TraceBatch.unknownDifference
        }
        guard let next = nextFrame() else { return nil }
        let full = frames[0]
        let header = FrameHeader(
            .traceEvents(
                TraceBatch(
                    eventCount: UInt32(count), clock: HostClock.identity,
                    sent: SystemClock.nanoseconds, difference: difference)),
            session: session, incarnation: incarnation)
        let frame = unsafe UnsafeMutableRawBufferPointer(
            rebasing: full.memory.frame[..<byteCount])
        unsafe wire.seal(header, frame)
        frames.swapAt(0, next)
        return unsafe full.message(frame)
    }

    /// One that libzmq does not read any more.
    private func nextFrame() -> Int? {
        if let index = frames.indices.dropFirst().first(where: { frames[$0].isIdle }) {
            return index
        }
        guard frames.count < Self.maximumFrames else { return nil }
        frames.append(Self.frame())
        return frames.count - 1
    }
}
