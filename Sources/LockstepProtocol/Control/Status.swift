package import TrainingPlan

/// Member → coordinator: all that the member is, sent when it changes and at every heartbeat. The
/// newest replaces those before; its number and the member's incarnation stand in the header.
package struct Status: Hashable, Sendable {
    package var member: MemberDescription
    /// The newest assignment that the member has received; 0 before any.
    package var reached: StatementNumber
    package var phase: MemberPhase

    package init(member: MemberDescription, reached: StatementNumber, phase: MemberPhase) {
        self.member = member
        self.reached = reached
        self.phase = phase
    }
}

package enum MemberPhase: Hashable, Sendable {
    /// Not ready for a run yet; a worker that fetches the data set has so many bytes of it.
    case joining(datasetBytes: UInt64)
    /// Waits for a run with all that it needs.
    case ready
    /// Makes room for a run.
    case preparing(RunPlace)
    case serving(RunPlace, ServerProgress)
    case working(RunPlace, WorkerProgress)
    /// Cannot continue; waits to be told to leave.
    case failed(StopReason)
    /// Leaves, once this has been heard.
    case leaving(StopReason)
}

extension MemberPhase {
    var isJoining: Bool { if case .joining = self { true } else { false } }
}

/// A run, with the generation and the view that the member knows of it.
package struct RunPlace: Hashable, Sendable {
    package var run: RunIndex
    package var generation: Generation
    /// A server's is always 0: views say who computes, and a server need not know.
    package var view: ViewNumber

    package init(run: RunIndex, generation: Generation, view: ViewNumber = 0) {
        self.run = run
        self.generation = generation
        self.view = view
    }

    /// Whether the servers are the same.
    func isSamePlacement(as other: RunPlace) -> Bool {
        run == other.run && generation == other.generation
    }
}

package struct ServerProgress: Hashable, Sendable {
    package enum Activity: UInt8, CaseIterable, Sendable {
        case waitingForPushes, updating, waitingForCoordinator, finished
    }

    /// The step that it commits next.
    package var step: Step
    package var activity: Activity
    /// Why it commits nothing more, if it does not.
    package var halt: Halt?
    /// What it has waited for longer than a step takes.
    package var lateness: Lateness?
    /// The step whose whole state it keeps, or will keep when it comes to it.
    package var checkpoint: Step?

    package init(
        step: Step, activity: Activity, halt: Halt? = nil, lateness: Lateness? = nil,
        checkpoint: Step? = nil
    ) {
        self.step = step
        self.activity = activity
        self.halt = halt
        self.lateness = lateness
        self.checkpoint = checkpoint
    }
}

/// Leaves of the current step that have not come in the time that steps take: their workers may be
/// lost.
package struct Lateness: Hashable, Sendable {
    /// The first ones, ascending.
    package var leaves: [LeafRange]
    /// Nodes of an audited step that one worker has brought, and another has not.
    package var unconfirmed: [UnconfirmedNode]
    /// How long the server has waited before it called them late, since the step began.
    package var patienceMilliseconds: Int

    package init(
        leaves: [LeafRange], unconfirmed: [UnconfirmedNode] = [], patienceMilliseconds: Int
    ) {
        self.leaves = leaves
        self.unconfirmed = unconfirmed
        self.patienceMilliseconds = patienceMilliseconds
    }
}

package struct UnconfirmedNode: Hashable, Sendable {
    package var node: LeafRange
    package var sender: Incarnation

    package init(node: LeafRange, sender: Incarnation) {
        self.node = node
        self.sender = sender
    }
}

package struct WorkerProgress: Hashable, Sendable {
    package enum Activity: UInt8, CaseIterable, Sendable {
        case computing, waitingForWeights, finished
    }

    /// The step whose weights are in use.
    package var step: Step
    package var activity: Activity

    package init(step: Step, activity: Activity) {
        self.step = step
        self.activity = activity
    }
}

/// Why a server commits no step after its current one.
package enum Halt: Hashable, Sendable {
    /// The current step made something that is not finite; its weights are the last finite ones.
    case diverged(DivergenceFinding)
    /// Workers came to different sums of the same node of the current step.
    case conflict(Conflict)
}

/// What a server found that is not finite.
package struct DivergenceFinding: Hashable, Sendable, CustomStringConvertible {
    package enum Quantity: String, CaseIterable, Sendable {
        case gradient, state, weight
    }

    package var quantity: Quantity
    /// The tensor's name, e.g. `layers.1.kernel`.
    package var tensor: String

    package init(quantity: Quantity, tensor: String) {
        self.quantity = quantity
        self.tensor = tensor
    }

    package var description: String { "a \(quantity.rawValue) of \(tensor) is not finite" }
}

// MARK: In words

extension MemberPhase: CustomStringConvertible {
    package var description: String {
        switch self {
        case .joining: "fetching the data set"
        case .ready: "waiting for a run"
        case .preparing(let place): "preparing run \(place.run)"
        case .serving(let place, let progress):
            "\(progress.activity) at step \(progress.step) of run \(place.run)"
        case .working(let place, let progress):
            "\(progress.activity) at step \(progress.step) of run \(place.run)"
        case .failed(let reason): "failed: \(reason.text)"
        case .leaving: "leaving"
        }
    }
}

extension ServerProgress.Activity: CustomStringConvertible {
    package var description: String {
        switch self {
        case .waitingForPushes: "waiting for pushes"
        case .updating: "updating weights"
        case .waitingForCoordinator: "waiting for reports to be recorded"
        case .finished: "finished"
        }
    }
}

extension WorkerProgress.Activity: CustomStringConvertible {
    package var description: String {
        switch self {
        case .computing: "computing"
        case .waitingForWeights: "waiting for weights"
        case .finished: "finished"
        }
    }
}
