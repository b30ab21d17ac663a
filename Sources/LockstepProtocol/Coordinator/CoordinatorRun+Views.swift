import TrainingPlan

/// Who computes, and whose leaves were late.
extension CoordinatorRun {
    mutating func changeView(
        to workers: [Incarnation], spansHosts: Bool, arbitration: Arbitration? = nil,
        now: Instant
    ) {
        view = View(
            view.number.next, workers: workers, leafCounts: schedule.leafCounts,
            nodeCost: schedule.nodeCost(spansHosts: spansHosts), arbitration: arbitration, now: now)
        if workers.isEmpty {
            waitingSince = waitingSince ?? now
        } else if waitingSince != nil {
            // What nobody could do was not done too slowly.
            waitingSince = nil
            lastProgress = now
        }
    }

    /// Whether time alone may change who can compute.
    var hasProbations: Bool { !probations.isEmpty }

    func hasProbation(_ worker: Incarnation) -> Bool { probations[worker] != nil }

    /// Whether a worker may have leaves, whose newest status is of this step and came at `heard`.
    func isTrusted(_ worker: Incarnation, at step: Step, heard: Instant, now: Instant) -> Bool {
        guard let probation = probations[worker] else { return true }
        return step >= probation.step && heard > probation.since && now >= probation.until
    }

    /// A worker's leaves of a step are late.
    mutating func distrust(_ worker: Incarnation, at step: Step, now: Instant) {
        let length = min(
            2
                * (probations[worker]?.lengthMilliseconds ?? Limits.shortestProbationMilliseconds
                    / 2),
            Limits.longestProbationMilliseconds)
        probations[worker] = Probation(
            step: step, since: now, until: now.advanced(byMilliseconds: length),
            lengthMilliseconds: length)
    }

    /// Workers that were late and have caught up need not wait any longer: there is nobody else.
    mutating func shortenProbations(now: Instant) {
        for worker in probations.keys { probations[worker]?.until = now }
    }
}

extension RunSchedule {
    /// How many leaves are computed while a node crosses a link, see ``LeafAssignment``. Both a
    /// leaf's work and a node's bytes grow with the model.
    func nodeCost(spansHosts: Bool) -> Int {
        spansHosts ? max(1, Limits.examplesPerPushedNode / microBatch) : 0
    }
}
