import AllocationCounter
import LockstepProtocol
import Testing
import TrainingPlan

/// A steady step allocates nothing: what the machines decide over and over again.
@Suite struct SteadyStepTests {
    private static let warmUp = 20
    private static let measured = 200

    /// 334 steps an epoch, of three leaves each.
    private static var configuration: RunConfiguration {
        var result = Fixture.longConfiguration
        result.batchSize = 3
        result.microBatch = 1
        return result
    }

    /// Allocations in steps after a warm-up.
    ///
    /// - Parameter step: does a step; appends its actions.
    private static func allocations<Action>(
        _ step: (Step, inout [Action]) -> Void
    ) -> (count: Int, first: String) {
        var actions: [Action] = []
        func advance(_ steps: Range<Int>) {
            for index in steps {
                actions.removeAll(keepingCapacity: true)
                step(Step(index), &actions)
            }
        }
        advance(0..<warmUp)
        allocation_counter_begin()
        advance(warmUp..<warmUp + measured)
        let count = allocation_counter_end()
        return (count, unsafe String(cString: allocation_counter_first()))
    }

    /// The counter counts: it would be no proof otherwise.
    @Test func allocationsAreCounted() {
        allocation_counter_begin()
        var numbers: [Int] = []
        numbers.reserveCapacity(1_000)
        let count = allocation_counter_end()
        #expect(numbers.capacity >= 1_000)
        #expect(count == 1)
    }

    @Test func worker() {
        var stage = WorkerStage.ready()
        var duty = WorkerStage.duty(Self.configuration)
        (duty.leaves, duty.lastLeaves) = (1..<3, 0..<0)
        _ = stage.assign(stage.number(), .work(Fixture.sessionInfo, duty))
        _ = stage.handle(.runBegun(0))
        var (machine, now) = (stage.machine, stage.now)
        let result = Self.allocations { (step, actions: inout [WorkerAction]) in
            now = now.advanced(byMilliseconds: 1)
            for leaf in 1...2 {
                machine.handle(
                    .nodeComputed(0, step, LeafRange(leaf, 1)), now: now, into: &actions)
            }
            machine.tick(now: now, into: &actions)
            for shard in 0..<2 {
                machine.receive(
                    .weights(Fixture.address(step.next, shard: ShardIndex(shard))), from: nil,
                    session: Fixture.session, incarnation: Incarnation(shard + 1), now: now,
                    into: &actions)
            }
        }
        #expect(result.count == 0, "\(result.first)")
        let progress = WorkerProgress(
            step: Step(Self.warmUp + Self.measured), activity: .computing)
        #expect(machine.phase == .working(Members.place, progress))
    }

    @Test func server() {
        let stage = ServerStage.serving(Self.configuration)
        var (machine, now) = (stage.machine, stage.now)
        let result = Self.allocations { (step, actions: inout [ServerAction]) in
            now = now.advanced(byMilliseconds: 1)
            for worker in 3...4 {
                let node = worker == 3 ? LeafRange(0, 2) : LeafRange(2, 1)
                machine.receive(
                    .push(Fixture.address(step), node, checksum: 1), from: PeerHandle(worker),
                    session: Fixture.session, incarnation: Incarnation(worker), now: now,
                    into: &actions)
            }
            machine.tick(now: now, into: &actions)
            machine.handle(.applied(0, step), now: now, into: &actions)
        }
        #expect(result.count == 0, "\(result.first)")
        let progress = ServerProgress(
            step: Step(Self.warmUp + Self.measured), activity: .waitingForPushes)
        #expect(machine.phase == .serving(Members.place, progress))
    }

    /// Records come behind: they are acknowledged to servers now and then, which is not measured.
    @Test func coordinator() {
        let (stage, _) = CoordinatorStage.running([Self.configuration], servers: 2)
        var (machine, now) = (stage.machine, stage.now)
        let result = Self.allocations { (step, actions: inout [CoordinatorAction]) in
            now = now.advanced(byMilliseconds: 1)
            for shard in 0..<2 {
                machine.receive(
                    .report(Fixture.address(step, shard: ShardIndex(shard))), from: 10,
                    session: Fixture.session, incarnation: Incarnation(shard + 1), now: now,
                    into: &actions)
            }
            machine.handle(.recorded(0, before: step.next), now: now, into: &actions)
        }
        #expect(result.count == 0, "\(result.first)")
        #expect(machine.drops.counts == stage.machine.drops.counts)
    }
}
