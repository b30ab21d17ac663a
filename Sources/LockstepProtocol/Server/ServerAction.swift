package import TrainingPlan

/// What a server has to do next; done in order.
package enum ServerAction: Hashable, Sendable {
    // Steady step.
    /// Keep the payload in hand in this slot until the step is applied.
    case keep(slot: Int)
    /// Release the payload in hand.
    case drop(DropReason)
    /// Fold the slots by ``ServerMachine/foldSchedule``, take the mean over the step's examples,
    /// update, and say `applied` or `diverged`. The weights of `step` stay; the slots are free after.
    case apply(Step)
    /// Send the newest weights, those of `step`. If the peer's queue is full, leave it: it asks.
    case sendWeights(to: PeerHandle, step: Step)
    /// `stepCommitted` to the coordinator, with the squared norms of the shard's rows of the gradient, and from
    /// shard 0 with the metrics of the step before them.
    case reportCommitted(Step)

    // Now and then.
    /// `snapshot` to the coordinator: the shard's weights of `step`, before anything else is applied.
    case sendSnapshot(Step)
    indirect case send(ControlMessage)
    /// Make room for the run, fill in the initial weights, and say `prepared`.
    indirect case prepare(PrepareRun)
    /// The engine may let go of the run.
    case endRun(RunIndex)
    indirect case logMalformed(PeerHandle, FrameError)
    /// Close everything and leave.
    indirect case exit(StopReason)
}

/// Why a frame of the data plane was not used. Counted by ``ServerMachine`` and ``WorkerMachine``.
package enum DropReason: Int, Hashable, Sendable, CaseIterable {
    case noRun, staleSession, staleRun, staleIncarnation, wrongShard, wrongType
    /// Committed already: answered with the newest weights.
    case olderStep
    case futureStep
    case notANode, covered, conflict
    /// A part that the data set does not have.
    case outOfRange
    /// The run has diverged or failed here.
    case runStopped
    case upToDate
}

/// How many frames were dropped, by reason.
package struct DropCounts: Sendable {
    private var counts = Array(repeating: 0, count: DropReason.allCases.count)

    package init() {}

    package mutating func add(_ reason: DropReason) { counts[reason.rawValue] += 1 }

    package subscript(_ reason: DropReason) -> Int { counts[reason.rawValue] }
}
