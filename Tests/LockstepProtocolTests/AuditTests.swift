import LockstepProtocol
import Testing
import TrainingPlan

/// What two workers compute, and who is believed where they do not agree.
@Suite struct AuditTests {
    private static let all = AuditRate(millionths: 1_000_000)

    @Test(arguments: [0, 1, 250_000, 1_000_000])
    func aShareOfTheStepsIsAudited(millionths: UInt32) {
        let rate = AuditRate(millionths: millionths)
        let count = (0..<200_000).count { rate.covers(Step($0)) }
        let expected = Double(millionths) / 5
        #expect(abs(Double(count) - expected) <= 4 * expected.squareRoot() + 1, "\(count)")
        if millionths == 1_000_000 { #expect(count == 200_000) }
        if millionths == 0 { #expect(count == 0) }
    }

    private static func votes(_ sums: [(Incarnation, UInt64)]) -> [Conflict.Vote] {
        sums.map { Conflict.Vote(worker: $0.0, checksum: $0.1) }
    }

    @Test func aMajorityTellsWhoIsWrong() {
        func wrong(_ sums: [(Incarnation, UInt64)]) -> [Incarnation]? {
            Conflict(node: LeafRange(0, 1), votes: Self.votes(sums)).wrongWorkers
        }
        #expect(wrong([(3, 1), (4, 2)]) == nil)
        #expect(wrong([(3, 1), (4, 2), (5, 1)]) == [4])
        #expect(wrong([(3, 1), (4, 2), (5, 2)]) == [3])
        #expect(wrong([(3, 1), (4, 2), (5, 3)]) == nil)
        #expect(wrong([(3, 1), (4, 2), (5, 3), (6, 3)]) == [3, 4])
        #expect(wrong([(3, 1), (4, 1), (5, 2), (6, 2)]) == nil)
        #expect(wrong([(3, 1), (3, 2)]) == [3], "it contradicts itself")
    }

    @Test func eachWorkerAuditsTheNext() {
        let view = View(1, workers: [4, 2, 9], leafCounts: (7, 2), now: 0)
        for (worker, next) in [(4, 2), (2, 9), (9, 4)] as [(Incarnation, Incarnation)] {
            #expect(view.auditedLeaves(of: worker) == view.leaves(of: next))
        }
        let node = LeafRange(0, 2)
        #expect(
            Set(view.confirmers(of: UnconfirmedNode(node: node, sender: 4), isLast: false)) == [9])
        #expect(
            Set(view.confirmers(of: UnconfirmedNode(node: node, sender: 7), isLast: false))
                == [4, 9])
        let alone = View(1, workers: [4], leafCounts: (7, 2), now: 0)
        #expect(alone.isOneWorker && alone.auditedLeaves(of: 4) == (0..<0, 0..<0))
    }

    // MARK: The worker

    @Test func anAuditorComputesAnothersLeavesAfterItsOwn() {
        var worker = WorkerStage.ready()
        var duty = WorkerStage.duty()
        duty.audit = AuditDuty(rate: Self.all, leaves: 0..<3, lastLeaves: 0..<1)
        _ = worker.assign(worker.number(), .work(Fixture.sessionInfo, duty))
        var actions = worker.handle(.runBegun(0))
        var computed: [LeafRange] = []
        while let node = WorkerStage.computed(actions).first {
            computed.append(node)
            actions = worker.handle(.nodeComputed(0, 0, node))
            #expect(Array(actions.prefix(2)) == WorkerStage.pushes(0, node))
        }
        #expect(computed == WorkerStage.nodes + [LeafRange(0, 2), LeafRange(2, 1)])
    }

    @Test func anArbiterComputesTheNodeAndSendsItUntilTheStepGoesOn() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let node = LeafRange(0, 2)
        var duty = WorkerStage.duty()
        duty.view = 1
        duty.arbitration = Arbitration(worker: 5, step: 0, node: node)
        let asked = worker.assign(worker.number(), .work(Fixture.sessionInfo, duty))
        #expect(WorkerStage.computed(asked) == [node])
        #expect(
            worker.handle(.nodeComputed(0, 0, node)).prefix(2) == WorkerStage.pushes(0, node)[...])
        // It may have been lost, and the server says of leaves only whether they are there.
        let repeated = worker.wait(milliseconds: 1_000).filter {
            $0 == WorkerStage.pushes(0, node)[0]
        }
        #expect(repeated.count > 1)
        // Of another step it has nothing to say.
        _ = worker.weights(1, shard: 0)
        #expect(WorkerStage.computed(worker.weights(1, shard: 1)) == [WorkerStage.nodes[0]])
    }

    // MARK: The server

    private static func auditing() -> ServerStage {
        var server = ServerStage.serving()
        var duty = ServerStage.duty()
        duty.audits = all
        _ = server.assign(server.number(), .serve(Fixture.sessionInfo, duty))
        return server
    }

    @Test func aStepIsCommittedWhenTwoHaveComeToTheSame() {
        var server = Self.auditing()
        let first = server.push(Fixture.address(0), LeafRange(0, 7))
        #expect(first == [.keep(slot: 0)])
        #expect(server.push(Fixture.address(0), LeafRange(0, 7)).isEmpty)
        #expect(server.dropped == .covered, "the same worker again is not a confirmation")
        let second = server.push(Fixture.address(0), LeafRange(0, 7), from: 4, by: 40)
        #expect(second == [.apply(0)] && server.dropped == nil)
    }

    @Test func withOneWorkerLeftItGoesOnUnaudited() {
        var server = Self.auditing()
        _ = server.push(Fixture.address(0), LeafRange(0, 7))
        let alone = server.assign(
            server.number(), .serve(Fixture.sessionInfo, ServerStage.duty()))
        #expect(ServerStage.applies(alone))
    }

    @Test func aMissingConfirmationIsLateAndComesAgain() {
        var server = Self.auditing()
        _ = server.push(Fixture.address(0), LeafRange(0, 7))
        let waited = server.wait(milliseconds: 1_500)
        let late = ServerStage.progress(waited).compactMap(\.lateness).first
        #expect(
            late?.unconfirmed == [UnconfirmedNode(node: LeafRange(0, 7), sender: 3)]
                && late?.leaves.isEmpty == true)
        // Given up meanwhile: both bring theirs again.
        #expect(server.push(Fixture.address(0), LeafRange(0, 7)) == [.keep(slot: 0)])
        #expect(
            server.push(Fixture.address(0), LeafRange(0, 7), from: 4, by: 40) == [.apply(0)])
    }

    @Test func votesAreCountedAndTheExpelledCountsNoMore() {
        var server = Self.auditing()
        _ = server.push(Fixture.address(0), LeafRange(0, 7), checksum: 1)
        let found = server.push(Fixture.address(0), LeafRange(0, 7), checksum: 2, from: 4, by: 40)
        #expect(found.first == .compare(slot: 0))
        let difference = BitDifference(element: "layers.0.bias[3]", first: 1, other: 2)
        let told = server.handle(.compared(0, 0, difference))
        let votes = Self.votes([(3, 1), (4, 2)])
        #expect(
            ServerStage.progress(told).map(\.halt) == [
                .conflict(
                    Conflict(node: LeafRange(0, 7), votes: votes, difference: difference))
            ])
        // A third, who was asked; worker 6 has joined meanwhile.
        var duty = ServerStage.duty()
        (duty.audits, duty.workers) = (Self.all, [3, 4, 6])
        _ = server.assign(server.number(), .serve(Fixture.sessionInfo, duty))
        let third = server.push(Fixture.address(0), LeafRange(0, 7), checksum: 2, from: 6, by: 60)
        guard case .conflict(let conflict) = ServerStage.progress(third).first?.halt else {
            Issue.record("no conflict any more: \(third)")
            return
        }
        #expect(conflict.wrongWorkers == [3])
        duty.workers = [4, 6]
        _ = server.assign(server.number(), .serve(Fixture.sessionInfo, duty))
        // What it had brought is given up, and it has no voice.
        #expect(server.push(Fixture.address(0), LeafRange(0, 7), checksum: 1).isEmpty)
        #expect(server.dropped == .staleIncarnation)
        #expect(
            server.push(Fixture.address(0), LeafRange(0, 7), checksum: 2, from: 4, by: 40) == [
                .keep(slot: 0)
            ])
        #expect(
            ServerStage.applies(
                server.push(Fixture.address(0), LeafRange(0, 7), checksum: 2, from: 6, by: 60)))
    }

    // MARK: The coordinator

    private static func halted(
        _ votes: [(Incarnation, UInt64)], _ difference: BitDifference? = nil
    ) -> MemberPhase {
        .serving(
            Members.place,
            ServerProgress(
                step: 1, activity: .waitingForPushes,
                halt: .conflict(
                    Conflict(
                        node: LeafRange(4, 2), votes: Self.votes(votes), difference: difference))))
    }

    @Test func serversAuditAsLongAsThereAreTwoWorkers() {
        var (stage, members) = CoordinatorStage.running(audits: Self.all)
        let told = stage.say(
            &members.workers[1], .leaving(StopReason(.success, "it is time")))
        #expect(CoordinatorStage.shardDuties(told).map(\.audits) == [.none])
        #expect(CoordinatorStage.notices(told).contains(.unaudited(0)))
    }

    @Test func aThirdWorkerTellsWhoIsWrongAndThatOneIsExpelled() {
        var (stage, members) = CoordinatorStage.running(workers: 3, audits: Self.all)
        // Servers have the incarnations from 1.
        let (first, second, third) = (members.workers[0], members.workers[1], members.workers[2])
        let asked = stage.say(
            &members.servers[0], Self.halted([(first.incarnation, 1), (second.incarnation, 2)]))
        let arbitration = Arbitration(worker: third.incarnation, step: 1, node: LeafRange(4, 2))
        #expect(
            CoordinatorStage.workDuties(asked).compactMap(\.duty.arbitration) == [arbitration])
        #expect(CoordinatorStage.ends(asked).isEmpty)
        let difference = BitDifference(
            element: "layers.0.kernel[3, 17]", first: 0x3f80_0000, other: 0x3f80_0001)
        let settled = stage.say(
            &members.servers[0],
            Self.halted(
                [(first.incarnation, 1), (second.incarnation, 2), (third.incarnation, 1)],
                difference))
        let refused = CoordinatorStage.duties(settled).compactMap { told -> StopReason? in
            if case .refused(let reason) = told.duty, told.to == second.handle {
                reason
            } else {
                nil
            }
        }
        #expect(refused.map(\.exitCode) == [.internalError])
        let text = refused.first?.text ?? ""
        for part in [
            "\(second.name) computes wrongly", "leaves 4–5 of step 1",
            "\(first.name) and \(third.name)",
            "layers.0.kernel[3, 17]: 0x3f800001 instead of "
                + "0x3f800000",
        ] { #expect(text.contains(part), "\(text)") }
        let workers = CoordinatorStage.pushers(settled).last
        #expect(workers == [first.incarnation, third.incarnation])
        // It hears so whenever it comes back as what it was.
        let again = stage.say(&members.workers[1], Members.working(1))
        #expect(
            CoordinatorStage.duties(again).map(\.duty) == [.refused(refused[0])])
        // The server continues, and nobody is an arbiter any more.
        let after = stage.say(&members.servers[0], Members.serving(1))
        #expect(CoordinatorStage.workDuties(after).allSatisfy { $0.duty.arbitration == nil })
        #expect(CoordinatorStage.ends(settled + again + after).isEmpty)
    }

    @Test func twoWithoutAThirdWaitForOneAndThenEnd() {
        var (stage, members) = CoordinatorStage.running(audits: Self.all)
        let (first, second) = (members.workers[0], members.workers[1])
        let halted = Self.halted([(first.incarnation, 1), (second.incarnation, 2)])
        let found = stage.say(&members.servers[0], halted)
        #expect(CoordinatorStage.ends(found).isEmpty)
        #expect(
            CoordinatorStage.notices(found).contains {
                if case .undecided = $0 { true } else { false }
            })
        let ended = members.beat(
            &stage, milliseconds: CoordinatorStage.waitTimeout + 500, servers: halted,
            workers: Members.working(1))
        #expect(CoordinatorStage.ends(ended) == [RunEnd(run: 0, status: .failed, step: 0)])
        let reason = CoordinatorStage.farewells(ended).first?.reason
        #expect(reason?.exitCode == .internalError)
        let text = reason?.text ?? ""
        #expect(text.contains("\(first.name) and \(second.name)"), "\(text)")
        #expect(text.contains("leaves 4–5 of step 1"), "\(text)")
    }
}
