import TrainingPlan

/// Run after run: prepared, started, followed to its end; and the end of the session.
extension CoordinatorMachine {
    /// Goes on to whatever is possible by now.
    mutating func advance(now: Instant, into actions: inout [CoordinatorAction]) {
        switch state {
        case .gathering(let gathering):
            if hasEndedAllRuns {
                guard unrecordedRun == nil else { return }
                let reason = StopReason(.success, "all runs are done")
                return endSession(.completed, reason, now: now, into: &actions)
            }
            if hasWorkersToStart(since: gathering.since, now: now),
                hasServersToStart(lastNewsAt: gathering.progressAt, now: now)
            {
                prepareRun(now: now, into: &actions)
            }
        case .preparing(let run, let since):
            if let end = run.end {
                finishRun(end, now: now, into: &actions)
            } else if run.servers.allSatisfy({ isServing($0, run) }) {
                startRun(run, now: now, into: &actions)
            } else if now.milliseconds(since: since) >= plan.waitTimeoutMilliseconds {
                endSession(.failed, notPrepared(run), now: now, into: &actions)
            }
        case .running:
            guard var run = takeRun() else { return }
            let stuck = run.advancePull(now: now, into: &actions)
            let unacknowledged = run.takeUnacknowledged()
            let checkpoint = run.advanceCheckpoint(
                interval: plan.checkpointMilliseconds, now: now, into: &actions)
            let moves = moveServers(&run, now: now, into: &actions)
            state = moves ? .bereft(run, since: now) : .running(run)
            if moves { return advance(now: now, into: &actions) }
            var silentShard = stuck
            switch checkpoint {
            case .nothing: break
            case .ask: for server in run.servers { assign(server, now: now, into: &actions) }
            case .silent(let shard): silentShard = shard
            }
            for shard in unacknowledged {
                assign(run.servers[shard.index], now: now, into: &actions)
            }
            if let end = run.end {
                finishRun(end, now: now, into: &actions)
            } else if let stop, isDue(stop, run, now: now) {
                endSession(.interrupted, stop.reason, now: now, into: &actions)
            } else if let shard = silentShard, let server = membership[run.servers[shard.index]] {
                remove(server, silence, now: now, into: &actions)
            } else if let since = run.waitingSince,
                now.milliseconds(since: since) >= plan.waitTimeoutMilliseconds
            {
                endSession(.failed, tooFewToGoOn(run), now: now, into: &actions)
            } else if run.waitingSince == nil, run.isStalled(now: now) {
                endSession(.failed, stalled(run), now: now, into: &actions)
            }
        case .closing(let closing):
            if membership.isEmpty {
                state = .ended(closing.reason)
            } else if now.milliseconds(since: closing.since) >= closing.patienceMilliseconds {
                for member in membership.members {
                    actions.append(.notice(.withoutGoodbye(member.name)))
                }
                state = .ended(closing.reason)
            }
        case .bereft(let run, let since):
            if let end = run.end {
                finishRun(end, now: now, into: &actions)
            } else {
                replaceServers(run, since: since, now: now, into: &actions)
            }
        case .changing, .ended: break
        }
    }

    /// A checkpoint that was made for the end is there, or takes too long.
    private func isDue(_ stop: Stop, _ run: CoordinatorRun, now: Instant) -> Bool {
        run.checkpoints.held > stop.held
            || now.milliseconds(since: stop.since) >= Limits.lastCheckpointMilliseconds
    }

    /// A session begins with as many workers as were asked for. Its later runs begin with those who
    /// are left, and so does a run that continues, after a while.
    private func hasWorkersToStart(since: Instant, now: Instant) -> Bool {
        let ready = membership.readyWorkerCount
        if ready >= plan.startingWorkers { return true }
        guard ready >= plan.minimumWorkers else { return false }
        if runIndex > 0 { return !membership.members.contains { endsRun($0, now: now) } }
        return plan.isResumed
            && now.milliseconds(since: since) >= Limits.replacementMilliseconds
    }

    /// Whether a worker has not heard yet that a run is over, and will.
    private func endsRun(_ member: Member, now: Instant) -> Bool {
        switch member.phase {
        case .preparing, .working: !isSilent(member.name.incarnation, now: now)
        case .joining, .ready, .serving, .failed, .leaving: false
        }
    }

    /// Ends a wait for members that nothing comes of: nobody joins, becomes ready or receives data.
    mutating func watchGathering(now: Instant, into actions: inout [CoordinatorAction]) {
        guard case .gathering(var gathering) = state, !hasEndedAllRuns else { return }
        let progress = membership.members.reduce(UInt64(memberCount)) { sum, member in
            switch member.phase {
            case .joining(let byteCount): sum + min(byteCount, plan.dataset.byteCount)
            case .ready, .preparing, .serving, .working: sum + plan.dataset.byteCount + 1
            case .failed, .leaving: sum
            }
        }
        if progress > gathering.progress {
            gathering.progress = progress
            gathering.progressAt = now
            state = .gathering(gathering)
        } else if now.milliseconds(since: gathering.progressAt) >= plan.waitTimeoutMilliseconds {
            let waited = now.milliseconds(since: gathering.since)
            endSession(.failed, tooFew(waited: waited), now: now, into: &actions)
        }
    }

    private func isServing(_ server: Incarnation, _ run: CoordinatorRun) -> Bool {
        guard case .serving(let place, _) = membership[server]?.phase else { return false }
        return place == run.place
    }

    private mutating func prepareRun(now: Instant, into actions: inout [CoordinatorAction]) {
        let configuration = plan.runs[runIndex.index]
        let members = membership.members
        let servers = chosenServers(for: configuration, now: now)
        let workers = members.filter { $0.name.role == .worker && $0.phase == .ready }
        let shards: ShardPlan
        do throws(ShardPlan.PlanError) {
            shards = try ShardPlan(configuration, shardCount: servers.count)
        } catch {
            let reason = StopReason(.mismatch, "run \(runIndex): \(error)")
            return endSession(.failed, reason, now: now, into: &actions)
        }
        let run = CoordinatorRun(
            RunOrder(
                run: runIndex, configuration: configuration,
                firstStep: plan.firstSteps[runIndex.index]), shards,
            trainingExampleCount: plan.dataset.trainingExampleCount,
            servers: servers, workers: workers.map(\.name.incarnation),
            spansHosts: spansHosts(servers: servers, workers: workers.map(\.name.incarnation)),
            now: now)
        state = .preparing(run, since: now)
        let idle = workers.count - run.schedule.leafCounts.full
        if idle > 0 { actions.append(.notice(.idleWorkers(runIndex, count: idle))) }
        for server in run.servers { assign(server, now: now, into: &actions) }
    }

    /// Servers know the run before any worker pushes.
    private mutating func startRun(
        _ prepared: CoordinatorRun, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        var run = prepared
        // Some may have left meanwhile.
        let able = run.view.workers.filter { membership[$0] != nil }
        let workers = able.count >= plan.minimumWorkers ? able : []
        if workers != run.view.workers || workers.isEmpty {
            run.changeView(
                to: workers,
                spansHosts: spansHosts(servers: run.servers, workers: workers), now: now)
        }
        state = .running(run)
        countWorkersByHost(of: run.view)
        noteAudits(wasOneWorker: false, in: run, now: now, into: &actions)
        actions.append(
            .beginRun(
                RunStart(
                    run: runIndex, generation: run.order.generation,
                    workers: run.view.workers.compactMap { membership[$0]?.name },
                    servers: run.servers.compactMap { membership[$0]?.name },
                    addresses: addresses(of: run))))
        for worker in membership.workers { assign(worker, now: now, into: &actions) }
        if workers.isEmpty {
            actions.append(.notice(.tooFewWorkers(runIndex, count: able.count)))
        }
    }

    private mutating func finishRun(
        _ end: RunEnd, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        actions.append(.endRun(end))
        unrecordedRun = runIndex
        runIndex = runIndex.next
        state = .gathering(Gathering(since: now))
        if let stop, !hasEndedAllRuns {
            return endSession(.interrupted, stop.reason, now: now, into: &actions)
        }
        assignAll(now: now, into: &actions)
        advance(now: now, into: &actions)
    }

    // MARK: A run's frames

    mutating func receive(
        report address: StepAddress, from server: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard var run = takeRun() else { return .staleRun }
        if let reason = judge(address, from: server, run) {
            state = .running(consume run)
            return reason
        }
        let arrival = run.report(address.step, of: address.shard, now: now)
        let isEvaluated = run.schedule.evaluationFollows(address.step)
        state = .running(consume run)
        switch arrival {
        case .taken:
            actions.append(.keepReport(address.shard, address.step))
            recordSteps(into: &actions)
            // Weights that are to be evaluated can be fetched now.
            if isEvaluated { advance(now: now, into: &actions) }
            return nil
        case .known:
            if isEvaluated { advance(now: now, into: &actions) }
            return nil
        case .repeated: return .upToDate
        case .gap:
            // The server learns at once what is missing.
            if let member = membership[server],
                now.milliseconds(since: member.assignedAt) >= Limits.shortestInquiryMilliseconds
            {
                assign(server, now: now, into: &actions)
            }
            return .futureStep
        }
    }

    /// Nil for what a server says of its own shard in this run and generation.
    private func judge(
        _ address: StepAddress, from server: Incarnation, _ run: CoordinatorRun
    ) -> DropReason? {
        if address.run != run.order.run { return .staleRun }
        if address.generation != run.order.generation { return .staleGeneration }
        return run.shard(of: server) == address.shard ? nil : .wrongShard
    }

    mutating func receive(
        _ part: SnapshotPart, from server: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard case .running(var run) = state, part.address.run == run.order.run else {
            return .staleRun
        }
        guard part.address.generation == run.order.generation else { return .staleGeneration }
        guard run.shard(of: server) == part.address.shard else { return .wrongShard }
        state = .changing
        if let isWhole = run.receiveState(part, now: now) {
            state = .running(run)
            actions.append(.keepStatePart(part))
            if isWhole {
                recordSteps(into: &actions)
                // They need not keep it any longer.
                for server in run.servers { assign(server, now: now, into: &actions) }
            }
            advance(now: now, into: &actions)
            return nil
        }
        let arrival = run.receive(part, now: now)
        state = .running(run)
        switch arrival {
        case .unwanted: return .upToDate
        case .kept: actions.append(.keepPart(part))
        case .whole:
            actions.append(.keepPart(part))
            recordSteps(into: &actions)
            // Servers may wait for room for another snapshot.
            for server in run.servers { assign(server, now: now, into: &actions) }
        }
        advance(now: now, into: &actions)
        return nil
    }

    mutating func recordSteps(into actions: inout [CoordinatorAction]) {
        guard var run = takeRun() else { return }
        while let record = run.takeRecord() {
            switch record {
            case .evaluation(let step): actions.append(.evaluate(runIndex, step))
            case .checkpoint(let step): actions.append(.checkpoint(runIndex, step))
            case .step(let step): actions.append(.recordStep(runIndex, step))
            }
        }
        state = .running(consume run)
    }

    /// A server commits nothing more.
    mutating func halted(
        _ halt: Halt, _ place: RunPlace, _ step: Step, _ server: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard case .running(var run) = state, place == run.place, run.shard(of: server) != nil
        else { return }
        switch halt {
        case .diverged(let finding):
            run.diverged(step, finding)
            state = .running(run)
        case .conflict: settleConflicts(now: now, into: &actions)
        }
    }

    // MARK: The end

    /// Ends the session: no run continues, members are told, and goodbyes are waited for.
    ///
    /// - Parameter reason: the coordinator's own end. Members of a failed session end the same way,
    ///   others with success.
    mutating func endSession(
        _ status: EndStatus, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard !isClosing else { return }
        if let run {
            actions.append(
                .endRun(RunEnd(run: run.order.run, status: status, step: run.step)))
        }
        let farewell =
            status == .failed
            ? reason : StopReason(.success, "the session is over: \(status.rawValue)")
        state = .closing(
            Closing(
                since: now, reason: reason, farewell: farewell,
                patienceMilliseconds: status == .interrupted
                    ? Limits.interruptedFarewellMilliseconds : Limits.peerLeaseMilliseconds))
        assignAll(now: now, into: &actions)
        advance(now: now, into: &actions)
    }
}
