import TrainingPlan

/// Sums that are compared: votes on those that differ, and confirmations that do not come.
extension ServerRun {
    mutating func vote(
        _ vote: Conflict.Vote, on node: LeafRange, in conflict: Conflict
    ) -> DropReason? {
        guard node == conflict.node else { return .halted }
        guard !conflict.votes.contains(vote), conflict.votes.count < Limits.maximumVotes else {
            return .covered
        }
        var conflict = conflict
        conflict.votes.append(vote)
        halt = .conflict(conflict)
        return nil
    }

    /// The kept sum and the newest one have been compared.
    mutating func compared(_ difference: BitDifference) {
        guard case .conflict(var conflict) = halt, conflict.difference == nil else { return }
        conflict.difference = difference
        halt = .conflict(conflict)
    }

    /// A conflict is over when one who took part in it is not a member any more: what nobody has
    /// confirmed comes again.
    mutating func endConflictIfVoterIsGone(
        now: Instant, into actions: inout [ServerAction]
    ) {
        guard case .conflict(let conflict) = halt,
            conflict.votes.contains(where: { places[$0.worker] == nil })
        else { return }
        halt = nil
        coverage.giveUpUnconfirmed()
        gatheringSince = now
        keptAt = now
        applyIfComplete(into: &actions)
    }

    /// Looks whether leaves are late, or their confirmation is: by the times of earlier steps, and
    /// by those that have come.
    ///
    /// - Returns: whether there is something new to tell.
    mutating func watch(now: Instant) -> Bool {
        guard !isApplying, !isFinished, halt == nil, !isSettled else { return false }
        let patience = max(gathering.interval, 2 * keptAt.milliseconds(since: gatheringSince))
        guard now.milliseconds(since: gatheringSince) >= patience else { return false }
        let late = Lateness(
            leaves: coverage.missingLeaves(atMost: Limits.maximumLateRanges),
            unconfirmed: unconfirmedNodes, patienceMilliseconds: patience)
        let isNews = lateness?.leaves != late.leaves || lateness?.unconfirmed != late.unconfirmed
        lateness = late
        if !late.unconfirmed.isEmpty { repeatUnconfirmed(patience, now: now) }
        return isNews
    }

    /// Under another view nobody may compute just these nodes, and a message may be lost: both
    /// workers bring theirs again, for which they get more time after each try.
    private mutating func repeatUnconfirmed(_ patience: Int, now: Instant) {
        confirmationPatience = max(confirmationPatience, patience)
        guard now.milliseconds(since: keptAt) >= confirmationPatience else { return }
        confirmationPatience = min(2 * confirmationPatience, Limits.longestLatenessMilliseconds)
        coverage.giveUpUnconfirmed()
        gatheringSince = now
        keptAt = now
    }

    /// All leaves of a step have come: how long that took tells what is late in the next one,
    /// unless a worker was lost in this.
    mutating func noteGathered(now: Instant) {
        let elapsed = now.milliseconds(since: gatheringSince)
        if lateness == nil {
            gathering.observe(milliseconds: elapsed)
        } else {
            // No more than twice as long as in this one: much of it may have been spent on workers
            // that are gone, and the next one that goes is to be missed soon.
            gathering.observeRepeated(interval: 2 * min(elapsed, 2 * gathering.interval))
        }
        lateness = nil
    }
}
