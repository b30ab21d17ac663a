import CrashPoints
import Datasets
import Glibc
package import LockstepProtocol
package import NeuralNetwork
package import TrainingPlan
package import ZeroMQ

/// Does what a worker's machine decides: computes, pushes, keeps weights, and gets the data set.
///
/// The loop's thread computes with the team's: between two nodes it looks at its sockets, and a
/// node leaves as soon as it is ready. A node that takes long is computed beside the loop.
package final class WorkerEngine: RoleEngine {
    private let wire: Wire
    private let team: ThreadTeam
    private let data: any WorkerDataSource
    private let bench: Workbench<WorkerEvent>
    private let notice: (String) -> Void
    /// Of the coordinator's name, until it is answered.
    private var lookup: NameLookup?
    private var run: WorkerRunEngine?
    /// The one that the node on the bench belongs to.
    private var benchRun: WorkerRunEngine?
    private var events: [WorkerEvent] = []
    /// The node that is computed next.
    private var computing: (step: Step, node: LeafRange)?
    /// Where the server in this process is reached by others, while there is one.
    package var hostedEndpoint: String?
    /// Whether the session wants a server in this process.
    private(set) var hostsServer = false
    /// The data port of the coordinator, as it tells its members.
    private(set) var coordinatorData = ""
    /// When the last node was done, in nanoseconds.
    private var waitingSince: UInt64 = 0
    /// Where the session is traced.
    private var trace: TraceRecorder?

    package init(
        wire: Wire, team: ThreadTeam, data: any WorkerDataSource, wakeUp: WakeUp,
        lookup: NameLookup? = nil, notice: @escaping (String) -> Void
    ) {
        self.lookup = lookup
        self.wire = wire
        self.team = team
        self.data = data
        self.notice = notice
        bench = Workbench(wakeUp: wakeUp)
    }

    // MARK: Frames

    package func decode(
        _ message: borrowing Message, from port: Port, for machine: WorkerMachine
    ) throws(FrameError) -> (WorkerInbound, FrameHeader) {
        let header = try wire.header(of: message)
        let isOurs = header.session == machine.link.session
        switch (header.content, port) {
        case (.assignment(let number, let clock), .coordinator):
            let assignment: Assignment = try wire.statement(message, header)
            note(assignment)
            TraceRecorder.note(&trace, clock: clock)
            CrashPoint.workerAssigned.pass()
            return (.assignment(number, assignment), header)
        case (.weights(let address), .shard(let shard)) where address.shard == shard:
            // Another generation may have cut the vector otherwise; the machine drops what is of
            // it. What the server of this thread hands over was nowhere where it could be damaged.
            if isOurs, let run, run.duty.order.covers(address),
                run.duty.servers[shard.index].endpoint != hostedEndpoint
            {
                try wire.verify(message, header, byteCount: run.plan.weightsByteCount(of: shard))
            }
            return (.weights(address), header)
        case (.held(let address, let leaves), .shard(let shard)) where address.shard == shard:
            let isHeld = try wire.leafBits(message, header, leafCount: leaves.leafCount)
            return (.held(address, leaves: leaves, isHeld: isHeld), header)
        case (.datasetPart(let part), .coordinatorData):
            if isOurs {
                try wire.verify(message, header, byteCount: Int(part.byteCount))
            }
            return (.datasetPart(part), header)
        default: throw .wrongDirection(header.type)
        }
    }

    private func note(_ assignment: Assignment) {
        switch assignment.duty {
        case .wait(let session), .work(let session, _):
            hostsServer = session.workersServe
            coordinatorData = session.dataEndpoint
        case .serve, .leave, .refused, .rejoin: break
        }
    }

    // MARK: Work

    /// Nodes are computed here, unless another is on the bench, whose threads they share.
    package var isBusy: Bool { computing != nil && !bench.isBusy }

    package func work() {
        guard let run, let (step, node) = computing else { return }
        computing = nil
        let done = WorkerEvent.nodeComputed(run.duty.order.run, step, node)
        let begun = trace.map { _ in SystemClock.nanoseconds }
        if run.expectedMilliseconds(of: node) < RoleLimits.longWorkMilliseconds {
            run.compute(node, of: step)
            events.append(done)
            waitingSince = SystemClock.nanoseconds
            if let begun { record(.compute, run, step.next, from: begun, to: waitingSince) }
        } else {
            benchRun = run
            bench.start(
                "node",
                Job {
                    run.compute(node, of: step)
                    run.benchSpan = begun.map { ($0, SystemClock.nanoseconds) }
                    return done
                })
            waitingSince = SystemClock.nanoseconds
        }
    }

    /// - Parameter step: as the log counts, from 1: the one whose weights it helps to make.
    private func record(
        _ kind: TraceKind, _ run: WorkerRunEngine, _ step: Step, shard: ShardIndex? = nil,
        from start: UInt64, to end: UInt64 = SystemClock.nanoseconds, isBeside: Bool = false
    ) {
        trace?.record(
            TraceEvent(
                kind, run.duty.order.run, step.rawValue, shard: shard, from: start, to: end,
                isBeside: isBeside))
    }

    package func nextEvent() -> WorkerEvent? {
        if !events.isEmpty { return events.removeFirst() }
        trace?.pause()
        return lookup.flatMap(answer) ?? takeAnswer()
    }

    /// What the bench has done. A node of a run that this worker has let go of meanwhile is none of
    /// the current run's, though that may be the same one, joined again.
    private func takeAnswer() -> WorkerEvent? {
        guard let answer = bench.takeAnswer() else { return nil }
        guard case .nodeComputed(_, let step, _) = answer else { return answer }
        defer { benchRun = nil }
        if let benchRun, let (start, end) = benchRun.benchSpan {
            record(.compute, benchRun, step.next, from: start, to: end, isBeside: true)
        }
        return benchRun === run ? answer : nil
    }

    private func answer(_ lookup: NameLookup) -> WorkerEvent? {
        guard let answer = lookup.answer else { return nil }
        self.lookup = nil
        guard case .failure(let problem) = answer else { return nil }
        return .unresolved("\(problem)")
    }

    /// The weights of the next step come soon as a rule: for a moment the thread stays awake and
    /// lets others run, because a halted CPU takes longer to come back than they do to come. Not
    /// where more workers share the CPUs than there are: they would keep each other from computing.
    var isAwake: Bool {
        guard let run, computing == nil, run.duty.workersOnHost <= 2 * Self.processorCount,
            SystemClock.nanoseconds - waitingSince
                < UInt64(Limits.awakeWaitMicroseconds) * 1_000
        else { return false }
        sched_yield()
        return true
    }

    /// Asked once: the library reads a file at every question.
    private static let processorCount = max(sysconf(CInt(_SC_NPROCESSORS_ONLN)), 1)

    // MARK: Actions

    package func perform(
        _ action: WorkerAction, for machine: WorkerMachine, _ inHand: inout Message,
        over network: any Transport
    ) throws {
        if let trace, trace.isDue { try trace.send(machine.link, wire, over: network) }
        switch action {
        case .compute(let step, let node): computing = (step, node)
        case .push(let address, let node):
            CrashPoint.pushing.pass()
            let begun = trace?.begun
            if let run, let message = run.push(node, of: address.step, to: address.shard) {
                _ = try network.send(message, to: .shard(address.shard))
                if let begun {
                    record(.push, run, address.step.next, shard: address.shard, from: begun)
                }
            }
            CrashPoint.pushed.pass()
        case .keepWeights(let shard, let step):
            run?.keep(&inHand, shard, step)
            CrashPoint.weightsKept.pass()
        case .adopt(let step):
            CrashPoint.weightsAdopting.pass()
            let begun = trace.map { _ in SystemClock.nanoseconds }
            run?.adopt(step)
            if let begun, let run {
                trace?.recordWait(run.duty.order.run, step.rawValue, until: begun)
                record(.adopt, run, step, from: begun)
            }
            CrashPoint.weightsAdopted.pass()
        case .inquire(let address, let leaves):
            try send(
                .inquiry(address, leaves: leaves), machine, to: .shard(address.shard), network)
            CrashPoint.inquired.pass()
        case .requestWeights(let address, let wanted):
            try send(
                .weightsRequest(address, wanted: wanted), machine, to: .shard(address.shard),
                network)
            CrashPoint.weightsAsked.pass()
        case .reconnect(let shard):
            if let run { try connect(shard, run, network) }
        case .send(let number, let status):
            if let trace { try trace.send(machine.link, wire, over: network) }
            let message = wire.message(
                .status(number), status, session: machine.link.session,
                incarnation: machine.link.incarnation)
            _ = try network.send(message, to: .coordinator)
            CrashPoint.workerStatusSent.pass()
        case .findDataset(let description): find(description)
        case .connectDataset(let endpoint):
            try network.connect(
                .coordinatorData, to: endpoint,
                maximumFrameByteCount: Limits.maximumPartFrameByteCount)
            CrashPoint.datasetConnected.pass()
        case .requestPart(let part):
            try send(.datasetRequest(part), machine, to: .coordinatorData, network)
            CrashPoint.datasetPartAsked.pass()
        case .storePart(let part):
            data.store(inHand, part)
            CrashPoint.datasetPartStored.pass()
        case .verifyDataset:
            network.disconnect(.coordinatorData)
            verify()
        case .beginRun(let duty): begin(duty, for: machine, network)
        case .changeView(let duty):
            run?.duty = duty
            CrashPoint.workerViewChanged.pass()
        case .endRun:
            endRun(network)
            CrashPoint.runClosed.pass()
        case .notice(let text): notice(text)
        }
    }

    private func send(
        _ content: FrameContent, _ machine: WorkerMachine, to port: Port, _ network: any Transport
    ) throws {
        let header = FrameHeader(
            content, session: machine.link.session, incarnation: machine.link.incarnation)
        _ = try network.send(wire.message(header), to: port)
    }

    /// Reading and hashing a data set takes a while.
    private func find(_ description: DatasetDescription) {
        onBench("data set") { [data] in
            data.find(description) ? .datasetFound : .datasetMissing
        }
    }

    private func verify() {
        onBench("data set") { [data] in .datasetVerified(matches: data.verify()) }
    }

    private func onBench(_ name: String, _ body: @escaping () -> WorkerEvent) {
        if data.isQuick {
            events.append(body())
        } else {
            bench.start(name, Job(body))
        }
    }

    private func begin(_ duty: WorkDuty, for machine: WorkerMachine, _ network: any Transport) {
        endRun(network)
        guard let examples = data.examples else { return }
        let layers = duty.order.configuration.architecture.layers
        guard layers.first == data.shape.pixels, layers.last == data.shape.classes else {
            let reason = StopReason(
                .mismatch,
                "run \(duty.order.run): the network does not fit the data set, which has images of "
                    + "\(data.shape.pixels) pixels and \(data.shape.classes) classes: check the "
                    + "coordinator's data")
            return events.append(.failed(reason))
        }
        CrashPoint.runOpening.pass()
        do {
            try MemoryLimit.reserve(for: duty.order.configuration)
            let newRun = try WorkerRunEngine(
                duty, incarnation: machine.link.incarnation, session: machine.link.session,
                examples: examples, trainingExampleCount: data.trainingExampleCount, team: team,
                wire: wire)
            for shard in newRun.plan.slices.indices {
                try connect(ShardIndex(shard), newRun, network)
                CrashPoint.serverConnected.pass()
            }
            run = newRun
            events.append(.runBegun(duty.order.run))
            CrashPoint.runOpened.pass()
        } catch {
            endRun(network)
            let code: ExitCode = error is SystemLimitError ? .unavailable : .mismatch
            events.append(.failed(StopReason(code, "run \(duty.order.run): \(error)")))
        }
    }

    private func connect(
        _ shard: ShardIndex, _ run: WorkerRunEngine, _ network: any Transport
    ) throws {
        try network.connect(
            .shard(shard), to: run.duty.servers[shard.index].endpoint,
            maximumFrameByteCount: run.maximumFrameByteCount,
            channel: ChannelSize(
                sentByteCount: FrameHeader.byteCount + run.plan.maximumPushByteCount(of: shard),
                receivedByteCount: FrameHeader.byteCount + run.plan.weightsByteCount(of: shard)))
    }

    private func endRun(_ network: any Transport) {
        for shard in run?.plan.slices.indices ?? 0..<0 {
            network.disconnect(.shard(ShardIndex(shard)))
        }
        run = nil
        computing = nil
    }

    /// A job that still runs keeps the team's threads, until the process ends.
    func close() {
        if bench.isBusy {
            _ = unsafe Unmanaged.passRetained(team)
        } else {
            team.finish()
        }
    }
}

/// Where a worker's examples come from.
package protocol WorkerDataSource: AnyObject {
    var examples: SparseExamples? { get }
    var trainingExampleCount: Int { get }
    var shape: ExampleShape { get }
    /// Whether `find` and `verify` take no time to speak of.
    var isQuick: Bool { get }
    /// Whether the data set is on this host; reads it if so.
    func find(_ description: DatasetDescription) -> Bool
    /// Keeps a part that the coordinator has sent.
    func store(_ message: borrowing Message, _ part: BytePart)
    /// Whether all parts together have the hash that was announced.
    func verify() -> Bool
}
