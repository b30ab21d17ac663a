import CrashPoints
package import LockstepProtocol
import NeuralNetwork
import TrainingPlan
package import ZeroMQ

/// Does what a server's machine decides: keeps nodes, applies steps, sends weights, reports and
/// parts.
package final class ServerEngine: RoleEngine {
    private let wire: Wire
    private let bench: Workbench<DivergenceFinding?>
    /// What is being computed on the bench.
    private var update: (shard: ShardEngine, ShardEngine.Update)?
    /// The generation that is to be made room for when the bench is free: it still computes for the
    /// one before.
    private var waiting: (duty: ShardDuty, SessionID, Incarnation)?
    private let notice: (String) -> Void
    /// Of the coordinator's name, until it is answered.
    private var lookup: NameLookup?
    private var shard: ShardEngine?
    private var trainingExampleCount = 0
    private var events: [ServerEvent] = []
    /// Where the session is traced.
    private var trace: TraceRecorder?

    package init(
        wire: Wire, wakeUp: WakeUp, lookup: NameLookup? = nil, notice: @escaping (String) -> Void
    ) {
        self.wire = wire
        self.lookup = lookup
        self.notice = notice
        bench = Workbench(wakeUp: wakeUp)
    }

    package func decode(
        _ message: borrowing Message, from port: Port, for machine: ServerMachine
    ) throws(FrameError) -> (ServerInbound, FrameHeader) {
        let header = try wire.header(of: message)
        switch (header.content, port) {
        case (.assignment(let number, let clock), .coordinator):
            let assignment: Assignment = try wire.statement(message, header)
            note(assignment)
            TraceRecorder.note(&trace, clock: clock)
            CrashPoint.serverAssigned.pass()
            return (.assignment(number, assignment), header)
        case (.push(let address, let node), .dataPeer(let peer)):
            // What the worker of this thread hands over was nowhere where it could be damaged.
            if peer != .sameThread, header.session == machine.link.session, let shard,
                shard.duty.order.covers(address), address.shard == shard.duty.shard
            {
                try shard.check(message, header)
            }
            return (.push(address, node, checksum: header.payloadChecksum), header)
        case (.inquiry(let address, let leaves), .dataPeer):
            return (.inquiry(address, leaves: leaves), header)
        case (.weightsRequest(let address, let wanted), .dataPeer):
            return (.weightsRequest(address, wanted: wanted), header)
        case (.snapshotPart(let part), .coordinatorData):
            if header.session == machine.link.session {
                try wire.verify(message, header, byteCount: Int(part.part.byteCount))
            }
            return (.snapshotPart(part), header)
        case (.snapshotRequest(let request), .dataPeer):
            return (.snapshotRequest(request), header)
        default: throw .wrongDirection(header.type)
        }
    }

    private func note(_ assignment: Assignment) {
        if case .serve(let session, _) = assignment.duty {
            trainingExampleCount = session.dataset.trainingExampleCount
        }
    }

    package var isBusy: Bool { false }
    package func work() {}

    package func nextEvent() -> ServerEvent? {
        if !events.isEmpty { return events.removeFirst() }
        trace?.pause()
        if let lookup, let event = answer(lookup) { return event }
        guard let finding = bench.takeAnswer(), let (computed, update) = update else { return nil }
        self.update = nil
        if computed === shard {
            computed.finish(update, finding)
            record(computed, update.step, isBeside: true)
            return event(finding, computed, update.step)
        }
        // Of a generation that is over.
        if let (duty, session, incarnation) = waiting {
            waiting = nil
            prepare(duty, session, incarnation)
        }
        return events.isEmpty ? nil : events.removeFirst()
    }

    private func answer(_ lookup: NameLookup) -> ServerEvent? {
        guard let answer = lookup.answer else { return nil }
        self.lookup = nil
        guard case .failure(let problem) = answer else { return nil }
        return .unresolved("\(problem)")
    }

    package func perform(
        _ action: ServerAction, for machine: ServerMachine, _ inHand: inout Message,
        over network: any Transport
    ) throws {
        if let trace, trace.isDue { try trace.send(machine.link, wire, over: network) }
        switch action {
        case .keep(let slot):
            shard?.keep(&inHand, slot: slot)
            CrashPoint.pushKept.pass()
        case .apply(let step): apply(step, machine.foldSchedule)
        case .compare(let slot): compare(inHand, slot)
        case .sendWeights(let peer, let address):
            guard let message = shard?.weightsMessage(of: address.step) else { return }
            CrashPoint.weightsSending.pass()
            let begun = trace?.begun
            if case .unreachable = try network.send(message, to: .dataPeer(peer)) {
                events.append(.unreachable(peer))
            }
            if let begun { trace?.recordBroadcast(address, from: begun) }
            CrashPoint.weightsSent.pass()
        case .sendReport(let address):
            if let message = shard?.report(address.step) {
                _ = try network.send(message, to: .coordinator)
            }
            CrashPoint.reportSent.pass()
        case .keepSnapshot(let step):
            shard?.keepSnapshot(step)
            CrashPoint.snapshotKept.pass()
        case .forgetSnapshot(let step):
            shard?.forgetSnapshot(step)
            CrashPoint.snapshotForgotten.pass()
        case .keepState(let step):
            shard?.keepState(step)
            CrashPoint.stateKept.pass()
        case .forgetState:
            shard?.forgetState()
            CrashPoint.stateForgotten.pass()
        case .connectCheckpoint(let endpoint):
            try network.connect(
                .coordinatorData, to: endpoint,
                maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        case .requestState(let request):
            let header = FrameHeader(
                .snapshotRequest(request), session: machine.link.session,
                incarnation: machine.link.incarnation)
            _ = try network.send(wire.message(header), to: .coordinatorData)
            CrashPoint.stateAsked.pass()
        case .storeState(let part):
            shard?.storeState(inHand, part.part)
            CrashPoint.statePartStored.pass()
        case .adoptState(let step):
            network.disconnect(.coordinatorData)
            CrashPoint.stateAdopting.pass()
            shard?.adoptState(step)
            CrashPoint.stateAdopted.pass()
        case .sendHeld(let peer, let address, let leaves, let isHeld):
            guard let shard else { return }
            let message = unsafe wire.message(
                shard.header(.held(address, leaves: leaves)), copying: isHeld.bytes.span.bytes)
            _ = try network.send(message, to: .dataPeer(peer))
            CrashPoint.heldSent.pass()
        case .sendPart(let peer, let request):
            if let message = shard?.part(request) {
                _ = try network.send(message, to: .dataPeer(peer))
            }
            CrashPoint.partSent.pass()
        case .send(let number, let status):
            if let trace { try trace.send(machine.link, wire, over: network) }
            let message = wire.message(
                .status(number), status, session: machine.link.session,
                incarnation: machine.link.incarnation)
            _ = try network.send(message, to: .coordinator)
            CrashPoint.serverStatusSent.pass()
        case .prepare(let duty):
            let (session, incarnation) = (machine.link.session, machine.link.incarnation)
            if update == nil {
                prepare(duty, session, incarnation)
            } else {
                waiting = (duty, session, incarnation)
            }
        case .endRun:
            shard = nil
            waiting = nil
            CrashPoint.shardForgotten.pass()
        case .notice(let text): notice(text)
        }
    }

    private func compare(_ push: borrowing Message, _ slot: Int) {
        guard let shard, case .push(let address, _) = try? wire.header(of: push).content,
            let difference = shard.difference(slot, push)
        else { return }
        events.append(.compared(address.run, address.step, difference))
    }

    private func apply(_ step: Step, _ fold: [FoldInstruction]) {
        guard let shard else { return }
        let nodeCount = (fold.count + 1) / 2
        if shard.expectedMilliseconds(nodeCount: nodeCount) < RoleLimits.longWorkMilliseconds {
            let finding = shard.apply(step, fold, isTraced: trace != nil)
            record(shard, step)
            events.append(event(finding, shard, step))
        } else {
            let update = shard.begin(step)
            self.update = (shard, update)
            let isTraced = trace != nil
            bench.start("update", Job { shard.compute(update, fold, isTraced: isTraced) })
        }
    }

    private func record(_ shard: ShardEngine, _ step: Step, isBeside: Bool = false) {
        if let timing = shard.timing {
            trace?.recordUpdate(timing, shard, step, isBeside: isBeside)
        }
    }

    private func event(
        _ finding: DivergenceFinding?, _ shard: ShardEngine, _ step: Step
    ) -> ServerEvent {
        let run = shard.duty.order.run
        return finding.map { .diverged(run, step, $0) } ?? .applied(run, step)
    }

    private func prepare(
        _ duty: ShardDuty, _ session: SessionID, _ incarnation: Incarnation
    ) {
        CrashPoint.shardPreparing.pass()
        do throws(ShardPlan.PlanError) {
            let newShard = try ShardEngine(
                duty, trainingExampleCount: trainingExampleCount, session: session,
                incarnation: incarnation, wire: wire)
            shard = newShard
            events.append(
                .prepared(duty.order.run, reportByteCount: newShard.reportByteCount))
            CrashPoint.shardPrepared.pass()
        } catch {
            events.append(.failed(StopReason(.mismatch, "\(error)")))
        }
    }
}
