import Foundation
import LockstepProtocol
import Synchronization
import TestSupport
import TrainingPlan

/// The ports of a session with one server inside the coordinator, and all that a stranger can have
/// overheard.
struct Target {
    let control: UInt16
    let data: UInt16
    let server: UInt16
    /// Of a session before, of the same configuration; with its numbers.
    let former: Recording
    /// Of a worker of this session, on the control plane.
    let overheard: Recording
    let session: SessionID
    let worker: Incarnation
    /// Of the server inside the coordinator.
    let serverIncarnation: Incarnation

    var ports: [UInt16] { [control, data, server] }

    /// Frames of this session, as they have passed.
    func recorded(_ type: FrameType) -> [[UInt8]] {
        let known = overheard[type]
        if !known.isEmpty { return known }
        let isServer = [.weights, .held, .stepReport, .snapshotPart].contains(type)
        return former.resealed(session, isServer ? serverIncarnation : worker, type)
    }

    func address(_ step: UInt64, shard: UInt32 = 0, run: UInt32 = 0) -> StepAddress {
        StepAddress(
            run: RunIndex(rawValue: run), generation: 0, step: Step(rawValue: step),
            shard: ShardIndex(rawValue: shard))
    }
}

/// How much a stranger says: no more than comes over a link, since here the processors of the
/// cluster make its bytes, too.
struct Allowance {
    let bytesPerSecond: Double
    let framesPerSecond: Double
    private let start = StepWatch.now
    private let end: Double
    private var bytes = 0.0
    private var frames = 0.0
    private(set) var isSpent = false

    init(seconds: Double, bytesPerSecond: Double, framesPerSecond: Double) {
        end = start + seconds
        self.bytesPerSecond = bytesPerSecond
        self.framesPerSecond = framesPerSecond
    }

    /// Waits until so much more may be said; false when the time is over.
    mutating func take(byteCount: Int, frameCount: Int = 1) -> Bool {
        bytes += Double(byteCount)
        frames += Double(frameCount)
        let due = start + max(bytes / bytesPerSecond, frames / framesPerSecond)
        if due >= end { isSpent = true }
        let wait = min(due, end) - StepWatch.now
        if wait > 0 { usleep(UInt32(wait * 1_000_000)) }
        if StepWatch.now >= end { isSpent = true }
        return !isSpent
    }

    /// A connection is several packets each way and a thread's work on both sides: a thousand a
    /// second in the long form.
    mutating func takeConnection(_ byteCount: Int) -> Bool {
        take(
            byteCount: byteCount + 500, frameCount: Int(framesPerSecond / Self.connectionsPerSecond)
        )
    }

    private static let connectionsPerSecond = 1_000.0
}
