import Foundation
import Synchronization

/// How far apart two cores are: what a word takes from one to the other and back. A virtual
/// machine's cores may lie in one cluster of caches at one time and in two at another, which is
/// worth a factor of five here, and of two in a step of two workers.
enum CoreDistance {
    /// - Returns: nanoseconds, the median of some rounds; nil where there is one core.
    static func nanoseconds() -> Double? {
        guard ProcessInfo.processInfo.activeProcessorCount > 1 else { return nil }
        let exchange = Exchange()
        Thread.detachNewThread {
            for round in 0..<rounds * roundTrips { exchange.answer(2 * round + 1) }
            exchange.isOver.signal()
        }
        var number = 0
        let times = (0..<rounds).map { _ in
            let start = secondsNow()
            for _ in 0..<roundTrips {
                exchange.ask(number + 1)
                number += 2
            }
            return (secondsNow() - start) / Double(roundTrips) * 1e9
        }
        exchange.isOver.wait()
        return times.sorted()[rounds / 2]
    }

    private static let rounds = 50
    private static let roundTrips = 2_000

    private final class Exchange: Sendable {
        private let word = Atomic<Int>(0)
        let isOver = DispatchSemaphore(value: 0)

        func ask(_ number: Int) {
            word.store(number, ordering: .releasing)
            while word.load(ordering: .acquiring) != number + 1 {}
        }

        func answer(_ number: Int) {
            while word.load(ordering: .acquiring) != number {}
            word.store(number + 1, ordering: .releasing)
        }
    }
}
