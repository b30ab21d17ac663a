import CrashPoints
import Foundation
package import LockstepProtocol
import NeuralNetwork
package import TrainingPlan
package import ZeroMQ

/// Does what the coordinator's machine decides: tells members, puts reports and weights together,
/// and has them recorded and evaluated.
package final class CoordinatorEngine: RoleEngine {
    private let wire: Wire
    private let runs: [RunConfiguration]
    private let reporting: any Reporting
    private let datasetPart: (BytePart) -> RawBytes
    private let lostChildren: () -> CoordinatorEvent?
    private let notice: (String) -> Void
    /// The checkpoint that a run continues from, if it does.
    private let firstState: (RunIndex) -> WholeState?
    /// Starts or retires workers of this host, and says what it has done.
    private let scale: (Int) -> StopReason
    /// What the session's timeline is kept in, where it is traced.
    private let trace: TraceStore?
    /// The run that is open.
    private var run: OpenRun?
    /// When the open run's generation began, in nanoseconds of this process.
    private var begun: UInt64 = 0

    /// What has come of a run, and not from all shards yet.
    private struct OpenRun {
        var start: RunStart
        var plan: ShardPlan
        /// What a generation begins with; nil for the initial weights.
        var checkpoint: WholeState?
        /// A later one, of which parts have come.
        var incoming: WholeState?
        var committed: Step = 0
        /// By step. Servers run ahead no further than ``Limits`` lets them keep reports.
        var reports: [Step: StepReport] = [:]
        /// Weights that have come whole or in part, by step.
        var snapshots: [Step: FloatBuffer] = [:]
    }

    /// - Parameters:
    ///   - datasetPart: the bytes of a part of the data set.
    ///   - lostChildren: the next process of this one that has exited, if there is one.
    package init(
        wire: Wire, runs: [RunConfiguration], reporting: any Reporting,
        datasetPart: @escaping (BytePart) -> RawBytes,
        lostChildren: @escaping () -> CoordinatorEvent? = { nil },
        firstState: @escaping (RunIndex) -> WholeState? = { _ in nil },
        scale: @escaping (Int) -> StopReason = { _ in StopReason(.mismatch, "no workers here") },
        trace: TraceStore? = nil, notice: @escaping (String) -> Void
    ) {
        self.trace = trace
        self.firstState = firstState
        self.scale = scale
        self.wire = wire
        self.runs = runs
        self.reporting = reporting
        self.datasetPart = datasetPart
        self.lostChildren = lostChildren
        self.notice = notice
    }

    /// Bytes that are copied into a message.
    package typealias RawBytes = [UInt8]

    // MARK: Frames

    package func decode(
        _ message: borrowing Message, from port: Port, for machine: CoordinatorMachine
    ) throws(FrameError) -> (CoordinatorInbound, FrameHeader) {
        let header = try wire.header(of: message)
        let isOurs = header.session == machine.plan.session
        switch (header.content, port) {
        case (.status(let number), .controlPeer):
            return (.status(number, try wire.statement(message, header)), header)
        case (.stepReport(let address, _), .controlPeer):
            if isOurs {
                try wire.verify(
                    message, header,
                    byteCount: ofShard(address.shard) { $0.reportByteCount(of: address.shard) })
            }
            return (.report(address), header)
        case (.traceEvents(let batch), .controlPeer):
            if isOurs {
                try wire.verify(
                    message, header, byteCount: Int(batch.eventCount) * TraceEvent.byteCount)
            }
            return (.traceEvents, header)
        case (.datasetRequest(let part), .dataPeer):
            return (.datasetRequest(part), header)
        case (.overviewRequest, .controlPeer): return (.overviewRequest, header)
        case (.scaleRequest(let workers), .controlPeer):
            return (.scaleRequest(workers: Int(workers)), header)
        case (.snapshotRequest(let request), .dataPeer):
            return (.snapshotRequest(request), header)
        case (.snapshotPart(let request), .shard(let shard))
        where request.address.shard == shard:
            if isOurs { try wire.verify(message, header, byteCount: Int(request.part.byteCount)) }
            return (.snapshotPart(request), header)
        default: throw .wrongDirection(header.type)
        }
    }

    /// Nil where no run is open; 0 where it has no such shard.
    private func ofShard(_ shard: ShardIndex, _ byteCount: (ShardPlan) -> Int) -> Int? {
        run.map { shard.index < $0.plan.shardCount ? byteCount($0.plan) : 0 }
    }

    package var isBusy: Bool { false }
    package func work() {}

    package func nextEvent() -> CoordinatorEvent? {
        guard let answer = reporting.takeAnswer() else { return lostChildren() }
        if case .evaluated(_, let step, let reachedTarget) = answer, !reachedTarget, let run {
            self.run?.snapshots = run.snapshots.filter { $0.key >= step }
        }
        return answer
    }

    // MARK: Actions

    package func perform(
        _ action: CoordinatorAction, for machine: CoordinatorMachine, _ inHand: inout Message,
        over network: any Transport
    ) throws {
        switch action {
        case .keepReport(let shard, let step):
            keepReport(inHand, shard, step)
            CrashPoint.reportKept.pass()
        case .recordStep(_, let step):
            run?.committed = step.next
            if let report = run?.reports.removeValue(forKey: step) {
                reporting.post(.committed(step, report))
            }
            CrashPoint.stepPosted.pass()
        case .send(let peer, let number, let incarnation, let assignment):
            let clock = trace == nil ? 0 : SystemClock.nanoseconds
            let message = wire.message(
                .assignment(number, clock: clock), assignment, session: machine.plan.session,
                incarnation: incarnation)
            _ = try network.send(message, to: .controlPeer(peer))
            CrashPoint.assignmentSent.pass()
        case .keepTrace(let member): keepTrace(inHand, of: member)
        case .sendVersion(let peer):
            let header = FrameHeader(
                .assignment(0), session: machine.plan.session, incarnation: .none)
            _ = try network.send(wire.message(header), to: .controlPeer(peer))
        case .sendDatasetPart(let peer, let part):
            let header = FrameHeader(
                .datasetPart(part), session: machine.plan.session,
                incarnation: .none)
            let bytes = datasetPart(part)
            _ = try unsafe network.send(
                wire.message(header, copying: bytes.span.bytes), to: .dataPeer(peer))
            CrashPoint.datasetPartSent.pass()
        case .requestPart(let request):
            let header = FrameHeader(
                .snapshotRequest(request), session: machine.plan.session, incarnation: .none)
            _ = try network.send(wire.message(header), to: .shard(request.address.shard))
        case .keepPart(let part):
            keepPart(inHand, part)
            CrashPoint.weightsPartKept.pass()
        case .keepStatePart(let part):
            keepStatePart(inHand, part)
            CrashPoint.statePartKept.pass()
        case .checkpoint(let index, let step):
            guard let state = run?.incoming else { return }
            run?.checkpoint = state
            run?.incoming = nil
            CrashPoint.checkpointWhole.pass()
            reporting.post(
                .checkpoint(index, step, weights: state.weights, state: state.optimizer))
        case .sendOverview(let peer, var overview):
            overview.host.release = lockstepVersion
            overview.host.arithmeticVersion = arithmeticVersion
            overview.host.clockMilliseconds = UInt64(Date().timeIntervalSince1970 * 1_000)
            let message = wire.message(
                .overview, overview, session: machine.plan.session, incarnation: .none)
            _ = try network.send(message, to: .controlPeer(peer))
        case .scale(let peer, let workers):
            let message = wire.message(
                .scaleReply, ScaleReply(scale(workers)), session: machine.plan.session,
                incarnation: .none)
            _ = try network.send(message, to: .controlPeer(peer))
        case .sendStatePart(let peer, let part, let shardCount):
            guard let bytes = bytes(of: part, shardCount: shardCount) else { return }
            let header = FrameHeader(
                .snapshotPart(part), session: machine.plan.session, incarnation: .none)
            _ = try unsafe network.send(
                wire.message(header, copying: bytes.span.bytes), to: .dataPeer(peer))
            CrashPoint.statePartSent.pass()
        case .reconnect(let shard): try connect(shard, network)
        case .evaluate(let index, let step):
            if let weights = run?.snapshots[step] {
                reporting.post(.evaluate(index, step, weights))
            }
        case .beginRun(let start): try begin(start, network)
        case .endRun(let end):
            self.end(end, network)
            CrashPoint.runEnded.pass()
        case .notice(let notice):
            self.notice("\(notice)")
            notice.crashPoint?.pass()
        }
    }

    private func begin(_ start: RunStart, _ network: any Transport) throws {
        // Nil where there are more shards than rows; the machine does not begin such a run.
        guard
            let plan = try? ShardPlan(runs[start.run.index], shardCount: start.servers.count)
        else { return }
        let isLater = run?.start.run == start.run
        if let open = run, isLater {
            for shard in open.start.addresses.indices {
                network.disconnect(.shard(ShardIndex(shard)))
            }
            run?.start = start
            run?.plan = plan
            run?.incoming = nil
            run?.reports = [:]
        } else {
            run = OpenRun(start: start, plan: plan, checkpoint: firstState(start.run))
            reporting.post(
                .begin(start.run, workers: start.workers.count, servers: start.servers.count))
        }
        begun = SystemClock.nanoseconds
        for shard in start.addresses.indices { try connect(ShardIndex(shard), network) }
        (isLater ? CrashPoint.generationBegun : .runBegun).pass()
    }

    private func connect(_ shard: ShardIndex, _ network: any Transport) throws {
        guard let run else { return }
        try network.connect(
            .shard(shard), to: run.start.addresses[shard.index].endpoint,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
    }

    private func keepReport(_ message: borrowing Message, _ shard: ShardIndex, _ step: Step) {
        guard let plan = run?.plan else { return }
        let rows = plan.rows(of: shard)
        var report =
            run?.reports[step] ?? StepReport(rowCount: plan.gradientRows.count)
        // When it was done, not when it came: after a pause many come at once.
        if case .stepReport(_, let elapsed) = try? wire.header(of: message).content {
            report.nanoseconds = max(report.nanoseconds, begun &+ elapsed)
        }
        unsafe message.withUnsafeBytes { frame in
            let payload = unsafe FrameCodec.payload(of: frame)
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: report.squaredNorms.pointer + rows.lowerBound, count: rows.count * 4)
            let end = payload.count - ShardPlan.digestByteCount
            unsafe target.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: payload[(end - target.count)..<end]))
            unsafe report.digest &+= UInt64(
                littleEndian: payload.loadUnaligned(fromByteOffset: end, as: UInt64.self))
            if shard == 0, let words = payload.baseAddress {
                unsafe report.metrics = plan.metrics.metrics(words)
            }
        }
        run?.reports[step] = report
    }

    private func keepTrace(_ message: borrowing Message, of member: MemberName) {
        guard let trace, case .traceEvents(let batch) = try? wire.header(of: message).content
        else { return }
        let received = SystemClock.nanoseconds
        let payload = unsafe message.withUnsafeBytes { frame in
            unsafe [UInt8](FrameCodec.payload(of: frame))
        }
        trace.keep(payload, batch, of: member, received: received)
    }

    private func keepStatePart(_ message: borrowing Message, _ part: SnapshotPart) {
        guard let run else { return }
        let state =
            run.incoming
            ?? WholeState(runs[run.start.run.index], parameterCount: run.plan.layout.parameterCount)
        self.run?.incoming = state
        state.store(message, part, run.plan)
    }

    /// Of the checkpoint that a generation begins with. The servers of a run have it before the run
    /// is open here.
    private func bytes(of part: SnapshotPart, shardCount: Int) -> [UInt8]? {
        let index = part.address.run
        let state = run?.start.run == index ? run?.checkpoint : firstState(index)
        guard let state, let plan = try? ShardPlan(runs[index.index], shardCount: shardCount)
        else { return nil }
        return state.bytes(of: part, plan)
    }

    private func keepPart(_ message: borrowing Message, _ part: SnapshotPart) {
        guard let plan = run?.plan else { return }
        let step = part.address.step
        let weights = run?.snapshots[step] ?? FloatBuffer(count: plan.layout.parameterCount)
        run?.snapshots[step] = weights
        let slice = plan[part.address.shard]
        let start = slice.lowerBound * 4 + Int(part.part.offset)
        guard start + Int(part.part.byteCount) <= slice.upperBound * 4 else { return }
        unsafe message.withUnsafeBytes { frame in
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(weights.pointer) + start,
                count: Int(part.part.byteCount))
            unsafe target.copyMemory(from: FrameCodec.payload(of: frame))
        }
    }

    // MARK: The end

    private func end(_ end: RunEnd, _ network: any Transport) {
        guard let run else { return }
        let status: RunEnding.Status
        switch end.status {
        case .completed: status = .completed
        case .target: status = .target
        case .diverged: status = .diverged
        // The session ends with it: its reason is the cause, and comes with `close`.
        case .interrupted, .failed: return
        }
        for shard in run.start.addresses.indices { network.disconnect(.shard(ShardIndex(shard))) }
        reporting.post(
            .end(
                RunEnding(
                    status: status, step: end.step, weights: run.snapshots[end.step],
                    cause: end.divergence.map { "\($0)" })))
        self.run = nil
    }

    /// The coordinator leaves. A run that is still open has no result but its records: weights may
    /// have come in part, and none are called its weights.
    package func close(_ reason: StopReason, isInterrupted: Bool) {
        guard let run else { return }
        reporting.post(
            .end(
                RunEnding(
                    status: isInterrupted ? .interrupted : .lost, step: run.committed,
                    weights: nil, cause: reason.text)))
        self.run = nil
    }
}
