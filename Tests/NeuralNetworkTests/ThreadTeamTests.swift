import Foundation
import NeuralNetwork
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ThreadTeamTests {
    @Test(arguments: 1...4)
    func everyThreadRunsEveryBodyOnce(count: Int) {
        let team = ThreadTeam(count: count)
        #expect(team.count == count)
        let calls = (0..<4).map { _ in Counter() }
        let bodies = 5_000
        for body in 0..<bodies {
            team.run { calls[$0].value.add(1, ordering: .relaxed) }
            // The body is over on all threads when `run` returns.
            guard calls[..<count].allSatisfy({ $0.value.load(ordering: .relaxed) == body + 1 })
            else {
                Issue.record("body \(body) did not run once on every thread")
                break
            }
        }
        team.finish()
        #expect(calls[count...].allSatisfy { $0.value.load(ordering: .relaxed) == 0 })
    }

    /// What a thread wrote before a barrier, all others see behind it, many times in one body.
    @Test(arguments: 1...4)
    func barriersKeepThePhasesApart(count: Int) {
        let team = ThreadTeam(count: count)
        let arrived = Counter()
        let early = Counter()
        for _ in 0..<100 {
            arrived.value.store(0, ordering: .sequentiallyConsistent)
            team.run { _ in
                for phase in 1...20 {
                    arrived.value.add(1, ordering: .relaxed)
                    team.barrier()
                    if arrived.value.load(ordering: .relaxed) != phase * count {
                        early.value.add(1, ordering: .relaxed)
                    }
                    team.barrier()
                }
            }
        }
        team.finish()
        #expect(early.value.load(ordering: .sequentiallyConsistent) == 0)
    }

    /// Threads that have gone to sleep between two bodies wake for the next.
    @Test func sleepersWake() {
        let team = ThreadTeam(count: 3)
        let calls = Counter()
        for _ in 0..<10 {
            Thread.sleep(forTimeInterval: 0.02)
            team.run { _ in calls.value.add(1, ordering: .relaxed) }
        }
        team.finish()
        #expect(calls.value.load(ordering: .sequentiallyConsistent) == 30)
    }

    @Test(arguments: 1...3)
    func finishMayComeAtOnceAndTwice(count: Int) {
        for _ in 0..<50 {
            let team = ThreadTeam(count: count)
            team.finish()
            team.finish()
        }
    }

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }
}
