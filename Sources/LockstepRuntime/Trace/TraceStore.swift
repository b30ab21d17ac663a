package import LockstepProtocol
import Synchronization
import TrainingPlan

/// What has come of a session's timeline, until it is written at the end.
package final class TraceStore: Sendable {
    /// Whose spans they are.
    enum Source: Hashable, Sendable {
        case member(MemberName)
        /// A thread of this process, whose clock is the session's.
        case here(Thread)
    }

    enum Thread: String, Sendable {
        case training, evaluation, checkpoints
    }

    /// Some events of one source, as they came.
    struct Batch: Sendable {
        let source: Source
        let payload: [UInt8]
        let eventCount: Int
        /// Whose clock took the times; nil for this process's.
        let clock: ForeignClock?
        let received: UInt64
    }

    /// The clock of another host, or of a member that cannot tell which it has.
    enum ForeignClock: Hashable, Sendable {
        case identified(UInt64)
        case ofMember(Incarnation)
    }

    struct Contents: Sendable {
        var batches: [Batch] = []
        /// Of this process.
        var events: [(thread: Thread, event: TraceEvent)] = []
        var clocks: [ForeignClock: ClockOffsets] = [:]
        var eventCount = 0
        /// Events that there was no room for.
        var omittedCount = 0
    }

    private let contents = Mutex(Contents())
    /// When the session began, by the clock of this process.
    package let start = SystemClock.nanoseconds
    private let maximumEventCount: Int
    private let notice: @Sendable (String) -> Void

    /// 64 MB, and a file of three hundred: minutes of the fastest steps.
    package static let usualMaximum = 2_000_000

    /// - Parameter notice: told once, when there is no room for more.
    package init(
        maximumEventCount: Int = usualMaximum, notice: @escaping @Sendable (String) -> Void
    ) {
        self.maximumEventCount = maximumEventCount
        self.notice = notice
    }

    /// Keeps what a member has sent.
    ///
    /// - Parameters:
    ///   - payload: so many events as the batch says.
    ///   - received: when it came, by the clock of this process.
    package func keep(
        _ payload: [UInt8], _ batch: TraceBatch, of member: MemberName, received: UInt64
    ) {
        let isOurClock = batch.clock != 0 && batch.clock == HostClock.identity
        let clock: ForeignClock? =
            isOurClock
            ? nil
            : batch.clock == 0 ? .ofMember(member.incarnation) : .identified(batch.clock)
        let count = Int(batch.eventCount)
        add(count) { contents in
            if let clock {
                let difference = batch.difference
                contents.clocks[clock, default: ClockOffsets()].note(
                    received: received, sent: batch.sent,
                    difference: difference == TraceBatch.unknownDifference ? nil : difference)
            }
            contents.batches.append(
                Batch(
                    source: .member(member), payload: payload, eventCount: count, clock: clock,
                    received: received))
        }
    }

    /// A span of this process.
    func record(_ event: TraceEvent, _ thread: Thread) {
        add(1) { $0.events.append((thread, event)) }
    }

    private func add(_ count: Int, _ body: (inout Contents) -> Void) {
        let isFirstOmitted = contents.withLock { contents in
            guard contents.eventCount + count <= maximumEventCount else {
                defer { contents.omittedCount += count }
                return contents.omittedCount == 0
            }
            contents.eventCount += count
            body(&contents)
            return false
        }
        if isFirstOmitted {
            notice(
                "the trace holds \(maximumEventCount) spans, which is the most that it takes: what "
                    + "comes now is missing from it; training continues")
        }
    }

    /// What there is so far.
    var snapshot: Contents { contents.withLock(\.self) }
}

/// The spans of one run in this process; used from any thread.
struct RunTrace: Sendable {
    let store: TraceStore
    let run: RunIndex

    /// Measures how long a checkpoint takes to be written.
    var checkpointTimer: @Sendable (_ step: Int, _ write: () -> Void) -> Void {
        { step, write in
            let begun = SystemClock.nanoseconds
            write()
            record(.checkpoint, .checkpoints, Step(step), from: begun)
        }
    }

    /// - Parameter end: nil for now.
    func record(
        _ kind: TraceKind, _ thread: TraceStore.Thread, _ step: Step, from start: UInt64,
        to end: UInt64? = nil
    ) {
        store.record(
            TraceEvent(
                kind, run, step.rawValue, from: start, to: end ?? SystemClock.nanoseconds),
            thread)
    }
}
