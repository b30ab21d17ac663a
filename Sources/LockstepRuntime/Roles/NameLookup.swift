import Foundation
import Synchronization
import ZeroMQ

/// Asks once, in a thread of its own, whether a coordinator's name stands for an address: the
/// resolver may take ten seconds and more, and a person who mistyped the name is told as soon as it
/// answers.
package final class NameLookup: Sendable {
    private enum State {
        case asking
        case answered(UnresolvedHost?)
    }

    private let state = Mutex(State.asking)

    /// - Parameter wakeUp: signalled when the answer is there.
    init(_ endpoint: Endpoint, wakeUp: WakeUp) {
        let thread = Thread { [self] in
            var problem: UnresolvedHost?
            do throws(UnresolvedHost) {
                _ = try endpoint.addresses()
            } catch {
                problem = error
            }
            state.withLock { $0 = .answered(problem) }
            wakeUp.signal()
        }
        thread.name = "resolver"
        thread.start()
    }

    /// Whether there is an answer, and what keeps the name from being used, if anything does.
    var answer: (isThere: Bool, problem: UnresolvedHost?) {
        state.withLock { state in
            switch state {
            case .asking: (false, nil)
            case .answered(let problem): (true, problem)
            }
        }
    }
}
