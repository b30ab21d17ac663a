package import LockstepProtocol
import Synchronization
import ZeroMQ

/// Asks a session or a role to stop, or to write a checkpoint and continue: a signal of the system,
/// or a test.
package final class Interruption: Sendable {
    private struct State {
        var reason: StopReason?
        var count = 0
        var wakeUps: [WakeUp] = []
    }

    private let state = Mutex(State())
    private let checkpoints = Atomic<Int>(0)

    package init() {}

    /// The first reason counts.
    package func request(_ reason: StopReason) {
        state.withLock { state in
            if state.reason == nil { state.reason = reason }
            state.count += 1
            for wakeUp in state.wakeUps { wakeUp.signal() }
        }
    }

    package var reason: StopReason? { state.withLock { $0.reason } }

    /// How often it was asked: a second time is more urgent.
    var count: Int { state.withLock { $0.count } }

    /// Asks for a checkpoint of what is trained now.
    package func requestCheckpoint() {
        checkpoints.add(1, ordering: .relaxed)
        state.withLock { for wakeUp in $0.wakeUps { wakeUp.signal() } }
    }

    /// How often a checkpoint was asked for. Asked at every step: it takes no lock.
    package var checkpointCount: Int { checkpoints.load(ordering: .relaxed) }

    func register(_ wakeUp: WakeUp) {
        state.withLock { state in
            state.wakeUps.append(wakeUp)
            if state.reason != nil { wakeUp.signal() }
        }
    }

    /// How a role ends: one that was asked to leave has done so, whoever was first to say goodbye.
    func end(_ reason: StopReason) -> StopReason {
        guard let asked = self.reason else { return reason }
        return reason.exitCode == .success || reason.exitCode == .lostPeer ? asked : reason
    }
}
