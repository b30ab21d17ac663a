package import TrainingPlan

/// What a session trains, and with how many.
package struct SessionPlan: Hashable, Sendable {
    package var session: SessionID
    package var dataset: DatasetDescription
    /// Trained one after the other; each is valid for the data set.
    package var runs: [RunConfiguration]
    /// A run starts when so many workers are ready, with all that are ready by then.
    package var minimumWorkers: Int
    package var servers: Int
    package var waitTimeoutMilliseconds: Int

    package init(
        session: SessionID, dataset: DatasetDescription, runs: [RunConfiguration],
        minimumWorkers: Int, servers: Int, waitTimeoutMilliseconds: Int
    ) {
        self.session = session
        self.dataset = dataset
        self.runs = runs
        self.minimumWorkers = minimumWorkers
        self.servers = servers
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }
}

/// How a run ended, and whose weights are its result.
package struct RunEnd: Hashable, Sendable {
    package var run: RunIndex
    package var status: EndStatus
    /// The result is the weights of this step: the snapshots of it are there for `completed`,
    /// `target` and `diverged`; for the others it is the last step that every shard committed.
    /// Records of later steps are no part of the run.
    package var step: Step
    package var divergence: Diverged?

    package init(run: RunIndex, status: EndStatus, step: Step, divergence: Diverged? = nil) {
        self.run = run
        self.status = status
        self.step = step
        self.divergence = divergence
    }
}

/// Something worth a line in the coordinator's log.
package enum CoordinatorNotice: Hashable, Sendable {
    case joined(MemberName, threads: Int)
    case ready(MemberName)
    case refused(host: String, processID: Int32, StopReason)
    /// Left or was lost while no run needed it.
    case left(MemberName, reason: String)
    case malformed(PeerHandle, FrameError)
    /// More workers than leaves: so many have nothing to do.
    case idleWorkers(RunIndex, count: Int)
    case withoutGoodbye(MemberName)
}

/// What the coordinator has to do next; done in order.
package enum CoordinatorAction: Hashable, Sendable {
    // Steady step.
    /// The payload in hand is what the shard measured of this step.
    case keepReport(RunIndex, ShardIndex, Step)
    /// Every shard has reported this step: record it.
    case recordStep(RunIndex, Step)
    /// Release the payload in hand.
    case drop(DropReason)

    // Now and then.
    indirect case send(PeerHandle, ControlMessage)
    case sendChunk(PeerHandle, DatasetChunk)
    /// The payload in hand is the shard's weights of this step.
    case keepSnapshot(RunIndex, ShardIndex, Step)
    /// Every shard's weights of this step are there. Evaluate them, in the order of these actions,
    /// and say `evaluated`. Keep them until that has been answered.
    case evaluate(RunIndex, Step)
    indirect case runStarted(RunIndex, workers: [MemberName], servers: [MemberName])
    indirect case runEnded(RunEnd)
    indirect case notice(CoordinatorNotice)
    /// Close everything and leave.
    indirect case exit(StopReason)
}
