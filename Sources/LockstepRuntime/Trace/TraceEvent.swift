import LockstepProtocol
package import TrainingPlan

/// What a span of the timeline is.
package enum TraceKind: UInt8, CaseIterable, Sendable {
    // A worker's.
    case compute = 1
    case push, wait, adopt
    // A server's, and it waits, too.
    case fold, update, broadcast
    // The coordinator's, or of a process that trains alone.
    case evaluate, checkpoint

    var name: StaticString {
        switch self {
        case .compute: "compute"
        case .push: "push"
        case .wait: "wait"
        case .adopt: "adopt"
        case .fold: "fold"
        case .update: "update"
        case .broadcast: "broadcast"
        case .evaluate: "evaluate"
        case .checkpoint: "checkpoint"
        }
    }
}

/// One span: what was done for which step, and when.
package struct TraceEvent: Hashable, Sendable {
    package var kind: TraceKind
    /// Done on the bench, beside the loop's own spans.
    package var isBeside = false
    package var run: RunIndex
    /// As the log counts: from 1. Weights have the number of the step that they are the result of.
    package var step: UInt64
    package var shard: ShardIndex?
    /// In nanoseconds of the process's clock.
    package var start: UInt64
    package var duration: UInt64

    package init(
        _ kind: TraceKind, _ run: RunIndex, _ step: UInt64, shard: ShardIndex? = nil,
        from start: UInt64, to end: UInt64, isBeside: Bool = false
    ) {
        self.kind = kind
        self.run = run
        self.step = step
        self.shard = shard
        self.start = start
        duration = end > start ? end - start : 0
        self.isBeside = isBeside
    }

    var end: UInt64 { start &+ duration }

    // MARK: In a frame

    /// | offset | bytes | field |
    /// | --- | --- | --- |
    /// | 0 | 8 | start |
    /// | 8 | 8 | duration |
    /// | 16 | 8 | step |
    /// | 24 | 4 | run |
    /// | 28 | 2 | shard; 65535 for none |
    /// | 30 | 1 | kind |
    /// | 31 | 1 | 1 if beside the loop |
    static let byteCount = TraceBatch.eventByteCount

    private static let noShard = UInt16.max

    /// - Parameter index: of the event among those of the payload.
    package func store(in payload: UnsafeMutableRawBufferPointer, at index: Int) {
        let offset = index * Self.byteCount
        let shard = shard.map { UInt16(truncatingIfNeeded: $0.rawValue) } ?? Self.noShard
        unsafe payload.storeBytes(
            of: start.littleEndian, toByteOffset: offset, as: UInt64.self)
        unsafe payload.storeBytes(
            of: duration.littleEndian, toByteOffset: offset + 8, as: UInt64.self)
        unsafe payload.storeBytes(
            of: step.littleEndian, toByteOffset: offset + 16, as: UInt64.self)
        unsafe payload.storeBytes(
            of: run.rawValue.littleEndian, toByteOffset: offset + 24, as: UInt32.self)
        unsafe payload.storeBytes(
            of: shard.littleEndian, toByteOffset: offset + 28, as: UInt16.self)
        unsafe payload.storeBytes(of: kind.rawValue, toByteOffset: offset + 30, as: UInt8.self)
        unsafe payload.storeBytes(
            of: isBeside ? 1 : 0, toByteOffset: offset + 31, as: UInt8.self)
    }

    /// Nil for what no member of ours sends.
    init?(_ payload: UnsafeRawBufferPointer, at index: Int) {
        let offset = index * Self.byteCount
        func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, _ place: Int) -> T {
            unsafe T(
                littleEndian: payload.loadUnaligned(fromByteOffset: offset + place, as: T.self))
        }
        guard offset + Self.byteCount <= payload.count,
            let kind = TraceKind(rawValue: load(UInt8.self, 30))
        else { return nil }
        self.kind = kind
        start = load(UInt64.self, 0)
        duration = load(UInt64.self, 8)
        step = load(UInt64.self, 16)
        run = RunIndex(rawValue: load(UInt32.self, 24))
        let shard = load(UInt16.self, 28)
        self.shard = shard == Self.noShard ? nil : ShardIndex(rawValue: UInt32(shard))
        isBeside = load(UInt8.self, 31) != 0
    }
}
