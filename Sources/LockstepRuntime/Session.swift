package import Convergence
package import Datasets
package import LockstepProtocol
package import NeuralNetwork
import Synchronization
package import TrainingPlan
import ZeroMQ

/// A run of a session: what to train, and where its records go.
package struct PlannedRun: Sendable {
    package var configuration: RunConfiguration
    package var directory: RunDirectory
    /// Every so many steps one has a line in the log; all count in the epoch's figures.
    package var stepLineInterval: Int
    /// Whether the weights at the end of the run become a checkpoint.
    package var keepsWeights: Bool

    package init(
        _ configuration: RunConfiguration, directory: RunDirectory, stepLineInterval: Int = 1,
        keepsWeights: Bool = true
    ) {
        precondition(stepLineInterval >= 1, "lines are at least one step apart")
        self.configuration = configuration
        self.directory = directory
        self.stepLineInterval = stepLineInterval
        self.keepsWeights = keepsWeights
    }
}

/// What a session trains, one run after the other, and how it is placed. Placement moves no bit.
package struct SessionRequest: Sendable {
    /// Each valid for the data set.
    package var runs: [PlannedRun]
    package var dataset: Dataset
    /// Workers 0 trains in this process, without a socket.
    package var placement: Placement
    package var kernels: KernelVariant
    package var waitTimeoutMilliseconds: Int

    package init(
        runs: [PlannedRun], dataset: Dataset, placement: Placement, kernels: KernelVariant,
        waitTimeoutMilliseconds: Int
    ) {
        self.runs = runs
        self.dataset = dataset
        self.placement = placement
        self.kernels = kernels
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }
}

/// How a session ended: the runs that began, in order, and the coordinator's own end.
package struct SessionResult: Sendable {
    package var outcomes: [RunOutcome]
    package var reason: StopReason

    package init(outcomes: [RunOutcome], reason: StopReason) {
        self.outcomes = outcomes
        self.reason = reason
    }
}

/// What people see of a session while it goes on. Called from any thread, one call at a time.
package protocol SessionObserver: Sendable {
    /// A sentence for the log.
    func notice(_ text: String)
    func runStarted(_ configuration: RunConfiguration, directory: RunDirectory)
    /// Some times a second at most.
    func progress(_ progress: RunProgress)
    func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double)
    func runEnded(_ outcome: RunOutcome)
}

/// Asks a session or a role to stop: a signal of the system, or a test.
package final class Interruption: Sendable {
    private struct State {
        var reason: StopReason?
        var wakeUps: [WakeUp] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// The first reason counts.
    package func request(_ reason: StopReason) {
        state.withLock { state in
            if state.reason == nil { state.reason = reason }
            for wakeUp in state.wakeUps { wakeUp.signal() }
        }
    }

    package var reason: StopReason? { state.withLock { $0.reason } }

    func register(_ wakeUp: WakeUp) {
        state.withLock { state in
            state.wakeUps.append(wakeUp)
            if state.reason != nil { wakeUp.signal() }
        }
    }
}
