import Synchronization
import ZeroMQ

/// Where a role does what takes long: beside its loop, which continues to answer. One job at a
/// time.
///
/// A job has its data to itself until its answer has been taken.
final class Workbench<Answer: Sendable>: Sendable {
    private struct State {
        var isBusy = false
        var answers: [Answer] = []
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp

    /// - Parameter wakeUp: signalled when an answer is there.
    init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

    /// Whether a job is being done. Then nothing that it works on may be touched.
    var isBusy: Bool { state.withLock { $0.isBusy } }

    /// Starts a job; the bench must not be busy.
    func start(_ name: String, _ job: Job<Answer>) {
        state.withLock { state in
            precondition(!state.isBusy, "one job at a time")
            state.isBusy = true
        }
        let work: @Sendable () -> Void = { [self] in
            let answer = job.body()
            state.withLock { state in
                state.answers.append(answer)
                state.isBusy = false
            }
            wakeUp.signal()
        }
        // Where the system gives no thread it is done all the same.
        if !startThread(named: name, work) { work() }
    }

    func takeAnswer() -> Answer? {
        state.withLock { $0.answers.isEmpty ? nil : $0.answers.removeFirst() }
    }
}

/// Work that is handed to another thread with all that it works on, which its owner leaves alone
/// until the answer is there: that is what makes it `Sendable`.
struct Job<Answer>: @unchecked Sendable {
    let body: () -> Answer

    init(_ body: @escaping () -> Answer) { self.body = body }
}
