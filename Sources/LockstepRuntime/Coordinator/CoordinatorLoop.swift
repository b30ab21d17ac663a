import Convergence
import Datasets
import Foundation
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// Joins the coordinator's machine, its socket and the reporting thread.
final class CoordinatorLoop {
    private let request: SessionRequest
    private let observer: any SessionObserver
    private let interruption: Interruption
    private let wire: Wire
    private let control: Socket
    private let wakeUp: WakeUp
    private var poller = Poller()
    private let controlMember: Poller.Member
    private let reporting: ReportingThread
    private let children: ChildProcesses
    private var machine: CoordinatorMachine
    private var actions: [CoordinatorAction] = []
    private var inHand = Message()
    private var peers = PeerTable()
    private var stopReason: StopReason?
    private var lastTick: Instant = 0
    /// Of the run that is open.
    private var plan: ShardPlan?
    private var committed: Step = 0
    private var runIsOpen = false
    /// Of steps that some shard has not reported yet. Shards are one step apart at most; a report on its way is
    /// waited for no longer than a lease.
    private var reports: [Step: StepReport] = [:]
    /// Weights that have come whole or in part, by step.
    private var snapshots: [Step: FloatBuffer] = [:]

    /// - Parameter control: a bound ROUTER, made in this thread.
    init(
        _ request: SessionRequest, control: consuming Socket, children: ChildProcesses,
        wakeUp: WakeUp, observer: any SessionObserver, interruption: Interruption
    ) {
        self.request = request
        self.control = control
        self.children = children
        self.wakeUp = wakeUp
        self.observer = observer
        self.interruption = interruption
        wire = Wire(kernels: KernelSet(request.kernels))
        controlMember = poller.add(self.control)
        _ = poller.add(wakeUp)
        interruption.register(wakeUp)
        reporting = ReportingThread(request, observer: observer, wakeUp: wakeUp)
        let dataset = request.dataset
        machine = CoordinatorMachine(
            SessionPlan(
                session: SessionID(rawValue: UInt32.random(in: 1 ... .max)),
                dataset: DatasetDescription(
                    name: dataset.name, sha256: "\(dataset.sha256)",
                    byteCount: UInt64(dataset.payloadByteCount),
                    trainingExampleCount: dataset.train.count),
                runs: request.runs.map(\.configuration), minimumWorkers: request.placement.workers,
                servers: request.placement.servers,
                waitTimeoutMilliseconds: request.waitTimeoutMilliseconds))
    }

    func run() throws -> SessionResult {
        do {
            try loop()
        } catch {
            _ = reporting.finish()
            throw error
        }
        let (outcomes, failure) = reporting.finish()
        var reason = stopReason ?? StopReason(.internalError, "no reason")
        // The last run's weights are written when the members have gone already.
        if reason.exitCode == .success, let failure { reason = failure }
        return SessionResult(outcomes: outcomes, reason: reason)
    }

    private func loop() throws {
        machine.start(now: Clock.now)
        while stopReason == nil {
            if let reason = interruption.reason {
                machine.interrupt(reason, now: Clock.now, into: &actions)
            }
            try performActions()
            if stopReason != nil { break }
            try poller.wait(timeoutMilliseconds: tickMilliseconds)
            try receive()
            takeAnswers()
            reportLostChildren()
            let now = Clock.now
            if isTickDue(now, since: &lastTick) { machine.tick(now: now, into: &actions) }
            try performActions()
        }
    }

    // MARK: Events

    private func receive() throws {
        guard poller.events(of: controlMember).contains(.readable) else { return }
        while true {
            let sender: RoutingID
            switch try control.receiveRouted(into: &inHand) {
            case .nothing: return
            case .malformed(let peer, _):
                let handle = peer.map { peers.handle(of: $0) } ?? PeerHandle(0)
                machine.malformed(.truncated(byteCount: 0), from: handle, into: &actions)
                try performActions()
                continue
            case .message(let from): sender = from
            }
            let peer = peers.handle(of: sender)
            let now = Clock.now
            do throws(FrameError) {
                switch try wire.decode(inHand) {
                case .control(let message, let header):
                    machine.receive(
                        message, from: peer, session: header.session,
                        incarnation: header.incarnation, now: now, into: &actions)
                case .raw(let header):
                    try expectLength(header)
                    machine.receive(header, from: peer, now: now, into: &actions)
                }
            } catch {
                machine.malformed(error, from: peer, into: &actions)
            }
            try performActions()
        }
    }

    private func expectLength(_ header: FrameHeader) throws(FrameError) {
        switch header.type {
        case .stepCommitted:
            try wire.expect(ofShard(header) { $0.reportByteCount(of: header.shard) }, header)
        case .snapshot:
            try wire.expect(ofShard(header) { $0.weightsByteCount(of: header.shard) }, header)
        default:
            try wire.expect(0, header)
        }
    }

    /// 0 where there is no such shard.
    private func ofShard(_ header: FrameHeader, _ byteCount: (ShardPlan) -> Int) -> Int {
        guard let plan, header.shard.index < plan.shardCount else { return 0 }
        return byteCount(plan)
    }

    private func takeAnswers() {
        for answer in reporting.takeAnswers() {
            switch answer {
            case .evaluated(let run, let step, let reachedTarget):
                if !reachedTarget { snapshots = snapshots.filter { $0.key >= step } }
                machine.evaluated(
                    run, step, reachedTarget: reachedTarget, now: Clock.now, into: &actions)
            case .failed(let reason):
                machine.failed(reason, now: Clock.now, into: &actions)
            }
        }
    }

    private func reportLostChildren() {
        for child in children.takeExited() where stopReason == nil {
            machine.lost(
                processID: child.processID, host: hostName, cause: child.cause, now: Clock.now,
                into: &actions)
            if !child.wasNeeded { continue }
            // One that never joined is unknown to the machine.
            machine.failed(
                StopReason(
                    child.exitCode,
                    "worker process \(child.processID) \(child.cause) before the session ended: "
                        + "see its messages above"), now: Clock.now, into: &actions)
        }
    }

    // MARK: Actions

    private func performActions() throws {
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            try perform(action)
        }
        actions.removeAll(keepingCapacity: true)
    }

    private func perform(_ action: CoordinatorAction) throws {
        switch action {
        case .keepReport(_, let shard, let step): keepReport(shard, step)
        case .recordStep(_, let step):
            committed = step.next
            if let report = reports.removeValue(forKey: step) {
                reporting.post(.committed(step, report, nanoseconds: Clock.nanoseconds))
            }
        case .drop: inHand.clear()
        case .send(let peer, let message):
            try send(
                wire.message(message, session: machine.plan.session, incarnation: .none), to: peer)
        case .sendChunk(let peer, let chunk): try send(chunk, to: peer)
        case .keepSnapshot(_, let shard, let step): keepSnapshot(shard, step)
        case .evaluate(let run, let step):
            if let weights = snapshots[step] { reporting.post(.evaluate(run, step, weights)) }
        case .runStarted(let index, let workers, let servers):
            begin(index, workers: workers.count, servers: servers.count)
        case .runEnded(let end): self.end(end)
        case .notice(let notice): observer.notice("\(notice)")
        case .exit(let reason):
            closeRun(reason)
            stopReason = reason
        }
    }

    private func begin(_ index: RunIndex, workers: Int, servers: Int) {
        let run = request.runs[index.index]
        // Nil where there are more shards than rows; the servers tell why.
        plan = try? ShardPlan(run.configuration, shardCount: servers)
        snapshots = [:]
        reports = [:]
        committed = 0
        runIsOpen = true
        let placement = Placement(
            workers: workers, threads: request.placement.threads, servers: servers)
        reporting.post(.begin(run, placement, nanoseconds: Clock.nanoseconds))
    }

    private func keepReport(_ shard: ShardIndex, _ step: Step) {
        guard let plan else { return }
        let rows = plan.rows(of: shard)
        var report = reports[step] ?? StepReport(rowCount: plan.gradientRows.count)
        unsafe inHand.withUnsafeBytes { frame in
            let payload = unsafe FrameCodec.payload(of: frame)
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: report.squaredNorms.pointer + rows.lowerBound, count: rows.count * 4)
            unsafe target.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: payload.suffix(target.count)))
            if shard == 0, let words = payload.baseAddress {
                unsafe report.metrics = plan.metrics.metrics(words)
            }
        }
        reports[step] = report
    }

    private func keepSnapshot(_ shard: ShardIndex, _ step: Step) {
        guard let plan else { return }
        let weights = snapshots[step] ?? FloatBuffer(count: plan.layout.parameterCount)
        snapshots[step] = weights
        let slice = plan[shard]
        unsafe inHand.withUnsafeBytes { frame in
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: weights.pointer + slice.lowerBound, count: slice.count * 4)
            unsafe target.copyMemory(from: FrameCodec.payload(of: frame))
        }
    }

    private func end(_ end: RunEnd) {
        guard runIsOpen else { return }
        let status: EndRecord.Status
        switch end.status {
        case .completed: status = .completed
        case .target: status = .target
        case .diverged: status = .diverged
        // The session ends with it: its reason is the cause.
        case .interrupted, .failed: return
        }
        runIsOpen = false
        reporting.post(
            .end(
                status, end.step, snapshots[end.step],
                cause: end.divergence.map { "\($0.finding)" }))
        snapshots = [:]
    }

    /// A run that is still open when the session ends has no result but its records. Snapshots may have
    /// come in part: none is called its weights.
    private func closeRun(_ reason: StopReason) {
        guard runIsOpen else { return }
        runIsOpen = false
        reporting.post(
            .end(
                interruption.reason == nil ? .lost : .interrupted, committed, nil,
                cause: reason.text))
    }

    private func send(_ message: consuming Message, to peer: PeerHandle) throws {
        guard let routingID = peers.routingID(of: peer) else { return }
        if case .unreachable = try control.send(message, to: routingID) { peers.forget(peer) }
    }

    private func send(_ chunk: DatasetChunk, to peer: PeerHandle) throws {
        let bytes = request.dataset.payloadChunk(
            offset: Int(chunk.offset), byteCount: Int(chunk.byteCount))
        let header = FrameHeader(
            type: .datasetChunk, session: machine.plan.session, step: Step(rawValue: chunk.offset),
            leafCount: UInt32(bytes.count))
        try unsafe send(wire.message(header, copying: bytes.span.bytes), to: peer)
    }
}

/// What the servers have measured of one step.
struct StepReport: Sendable {
    /// Those of shard 0.
    var metrics: StepMetrics?
    /// Of the gradient's sum, by row.
    let squaredNorms: FloatBuffer

    init(rowCount: Int) { squaredNorms = FloatBuffer(count: rowCount) }
}

extension CoordinatorNotice: CustomStringConvertible {
    package var description: String {
        switch self {
        case .joined(let member, let threads):
            member.role == .worker && threads > 1
                ? "\(member) joined with \(threads) threads" : "\(member) joined"
        case .ready(let member): "\(member) is ready"
        case .refused(let host, let processID, let reason):
            "process \(processID) of host \(host) was refused: \(reason.text)"
        case .left(let member, let reason): "\(member) left: \(reason)"
        case .malformed(let peer, let error):
            "connection \(peer) sent what is no frame of ours; it is ignored: \(error)"
        case .idleWorkers(_, let count):
            "there are more workers than micro-batches in a step: \(count) of them will idle; a larger "
                + "--batch-size or a smaller --micro-batch gives them work"
        case .withoutGoodbye(let member): "\(member) has not said goodbye"
        }
    }
}
