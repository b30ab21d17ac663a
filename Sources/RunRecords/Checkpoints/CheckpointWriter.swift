import Foundation
import Synchronization

/// Writes checkpoints beside the training, in a thread of its own.
///
/// One at most waits; a newer one takes its place. A disk that fails keeps the checkpoints that are
/// there and stops nobody: it is told once, and once more when a checkpoint is written again.
package final class CheckpointWriter: Sendable {
    private struct State {
        var waiting: Checkpoint?
        var isFinished = false
        var hasThread = false
        var hasFailed = false
        var newestStep: Int?
    }

    private let store: CheckpointStore
    private let timed: @Sendable (_ step: Int, _ write: () -> Void) -> Void
    private let notice: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// Longer than a healthy disk takes for anything; a person who ends a run waits no longer for a
    /// sick one.
    private static let finishSeconds = 20.0

    /// - Parameter timed: calls what writes the checkpoint of a step, and may measure it.
    package init(
        _ store: CheckpointStore,
        timed: (@Sendable (_ step: Int, _ write: () -> Void) -> Void)? = nil,
        notice: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.timed = timed ?? { $1() }
        self.notice = notice
    }

    /// The newest step that is whole on the disk; nil before the first.
    package var newestStep: Int? { state.withLock { $0.newestStep } }

    /// Hands a checkpoint over, and never waits for the disk.
    package func write(_ checkpoint: Checkpoint) {
        let isFirst = state.withLock { state -> Bool in
            guard !state.isFinished else { return false }
            state.waiting = checkpoint
            defer { state.hasThread = true }
            return !state.hasThread
        }
        // Most runs of a sweep are over before their first checkpoint: those need no thread.
        if isFirst {
            let thread = Thread { [self] in work() }
            thread.name = "checkpoints"
            thread.start()
        }
        arrival.signal()
    }

    /// Takes no more, and waits until the last one is written, within a bound.
    ///
    /// - Returns: whether everything handed over is on the disk, or replaced by what is.
    @discardableResult
    package func finish(within seconds: Double = finishSeconds) -> Bool {
        guard close() else { return true }
        guard ended.wait(timeout: .now() + seconds) == .success else {
            notice(
                "the last checkpoint was not written to \(store.path) within "
                    + "\(Int(seconds)) s: the one before counts; look at the disk")
            return false
        }
        // For whoever asks again.
        ended.signal()
        return state.withLock { !$0.hasFailed }
    }

    /// Takes no more, and waits for nothing.
    ///
    /// - Returns: whether anything was handed over.
    @discardableResult
    package func close() -> Bool {
        let hasThread = state.withLock { state in
            state.isFinished = true
            return state.hasThread
        }
        arrival.signal()
        return hasThread
    }

    private func work() {
        while true {
            arrival.wait()
            let (checkpoint, isLast) = state.withLock { state in
                defer { state.waiting = nil }
                return (state.waiting, state.isFinished)
            }
            if let checkpoint { timed(checkpoint.step) { write(now: checkpoint) } }
            if isLast {
                _ = ended.signal()
                return
            }
        }
    }

    private func write(now checkpoint: Checkpoint) {
        do throws(FileError) {
            try store.write(checkpoint)
            let hadFailed = state.withLock { state in
                defer { state.hasFailed = false }
                state.newestStep = checkpoint.step
                return state.hasFailed
            }
            if hadFailed {
                notice(
                    "checkpoints are written again: that of step \(checkpoint.step) is in "
                        + store.path)
            }
        } catch {
            let hadFailed = state.withLock { state in
                defer { state.hasFailed = true }
                return state.hasFailed
            }
            if !hadFailed {
                notice(
                    "the checkpoint of step \(checkpoint.step) could not be written, and training "
                        + "continues; those that are there stay as they are: \(error)")
            }
        }
    }
}
