package import TrainingPlan

/// What a server has to do next; done in order.
package enum ServerAction: Hashable, Sendable {
    // Steady step.
    /// Keep the payload in hand in this slot until the step is applied.
    case keep(slot: Int)
    /// Fold the slots by ``ServerMachine/foldSchedule``, take the mean over the step's examples,
    /// update, and say `applied` or `diverged`. The weights of `step` stay; the slots are free
    /// after.
    case apply(Step)
    /// Send the weights of `step`, the newest or those before. If the peer's queue is full, leave
    /// it: it asks.
    case sendWeights(to: PeerHandle, StepAddress)
    /// Send what the shard measured of a step to the coordinator, for the first time or again.
    case sendReport(StepAddress)

    // Now and then.
    /// The payload in hand and what this slot keeps are sums of one node, and not the same: say
    /// `compared`.
    case compare(slot: Int)
    /// Keep the weights of this step, the newest, for the coordinator.
    case keepSnapshot(Step)
    case forgetSnapshot(Step)
    /// Copy the whole state of this step, the newest, for a checkpoint; there is one at a time.
    case keepState(Step)
    case forgetState
    indirect case sendHeld(to: PeerHandle, StepAddress, LeafRange, LeafBits)
    /// Send a part of the shard's weights of a step that is kept.
    indirect case sendPart(to: PeerHandle, SnapshotPart)
    indirect case send(StatementNumber, Status)
    /// Make room for the run, fill in the initial weights, and say `prepared`.
    indirect case prepare(ShardDuty)
    /// Connect to where the checkpoint is to be had that the generation begins with, anew if there
    /// is a connection.
    case connectCheckpoint(endpoint: String)
    case requestState(SnapshotPart)
    /// The payload in hand is this part of the shard's state.
    case storeState(SnapshotPart)
    /// All parts are there: the weights are those of this step.
    case adoptState(Step)
    /// The engine may let go of the run.
    case endRun(RunIndex)
    indirect case notice(String)
}

/// What a server's engine has done.
package enum ServerEvent: Hashable, Sendable {
    /// The weights of the step after this one are there.
    case applied(RunIndex, Step)
    /// There is room for the run, whose reports have so many bytes.
    case prepared(RunIndex, reportByteCount: Int)
    /// The step made something that is not finite; its own weights are still there.
    indirect case diverged(RunIndex, Step, DivergenceFinding)
    /// Two sums of a node of this step differ first here.
    indirect case compared(RunIndex, Step, BitDifference)
    /// The coordinator's name stands for no address, at least not yet.
    indirect case unresolved(String)
    /// A connection to the data port is gone.
    case unreachable(PeerHandle)
    /// It cannot continue.
    indirect case failed(StopReason)
}

/// What a server may be sent. Types for other roles do not come this far.
package enum ServerInbound: Hashable, Sendable {
    indirect case assignment(StatementNumber, Assignment)
    /// The checksum is that of the payload.
    case push(StepAddress, LeafRange, checksum: UInt64)
    case inquiry(StepAddress, leaves: LeafRange)
    case weightsRequest(StepAddress, wanted: Step)
    case snapshotRequest(SnapshotPart)
    case snapshotPart(SnapshotPart)
}
