import Foundation
import Synchronization
import ZeroMQ

/// Asks once, in a thread of its own, which addresses an endpoint's name stands for: the resolver
/// may take ten seconds and more, and whoever waits need not wait for it.
package final class NameLookup: Sendable {
    typealias Answer = Result<[Endpoint], UnresolvedHost>

    private let state = Mutex<Answer?>(nil)
    private let isAnswered = DispatchSemaphore(value: 0)

    /// - Parameter wakeUp: signalled when the answer is there.
    init(_ endpoint: Endpoint, wakeUp: WakeUp? = nil) {
        let look: @Sendable () -> Void = { [self] in
            let answer: Answer
            do throws(UnresolvedHost) {
                answer = .success(try endpoint.addresses())
            } catch {
                answer = .failure(error)
            }
            state.withLock { $0 = answer }
            isAnswered.signal()
            wakeUp?.signal()
        }
        if !startThread(named: "resolver", look) { look() }
    }

    /// Nil until there is one.
    var answer: Answer? { state.withLock(\.self) }

    /// Waits for the answer; nil where it does not come in time.
    func answer(withinMilliseconds milliseconds: Int) -> Answer? {
        if isAnswered.wait(timeout: .now() + .milliseconds(milliseconds)) == .success {
            isAnswered.signal()
        }
        return answer
    }
}
