import TrainingPlan

/// What the coordinator tells a person of the cluster.
extension CoordinatorMachine {
    func overview(now: Instant) -> ClusterOverview {
        ClusterOverview(
            stage: stage, runCount: plan.runs.count,
            run: run.map { run in
                RunOverview(
                    index: run.order.run, configuration: run.order.configuration,
                    generation: run.order.generation, view: run.view.number, step: run.step,
                    totalSteps: run.schedule.totalSteps, checkpoint: run.checkpoints.held)
            },
            members: membership.members.map { member in
                let incarnation = member.name.incarnation
                return MemberOverview(
                    name: member.name, threads: member.description.threads, phase: member.phase,
                    silentMilliseconds: now.milliseconds(since: member.lastHeard),
                    leafCount: run?.view.leaves(of: incarnation).full.count ?? 0,
                    isLate: run.map {
                        $0.hasProbation(incarnation) && !$0.view.includes(incarnation)
                    }
                        ?? false)
            }, dataset: plan.dataset,
            dataEndpoints: [plan.dataEndpoint]
                + membership.members.compactMap(\.description.dataEndpoint))
    }

    private var stage: ClusterOverview.Stage {
        switch state {
        case .gathering: hasEndedAllRuns ? .ending : .gathering
        case .preparing: .preparing
        case .running(let run): run.waitingSince == nil ? .training : .waitingForWorkers
        case .bereft: .waitingForServers
        case .closing, .changing, .ended: .ending
        }
    }
}
