import TrainingPlan

/// The checkpoint that a generation begins with: fetched by the server that takes a shard of it.
extension ServerMachine {
    /// Asks for what is due of it.
    mutating func load(now: Instant, into actions: inout [ServerAction]) {
        guard case .preparing(let session, let duty, var download?) = state else { return }
        let isAlive = download.advance(session, now: now, into: &actions)
        state = .preparing(session, duty, download)
        if !isAlive {
            let reason = StopReason(
                .lostPeer,
                "no part of the checkpoint has come from \(placeText(session.dataEndpoint)) for "
                    + "\(seconds(Limits.transferStallMilliseconds)) s: check the network, and "
                    + "start the server again")
            failed(reason, now: now, into: &actions)
        }
    }

    mutating func receive(
        _ part: SnapshotPart, _ itsSession: SessionID, now: Instant,
        into actions: inout [ServerAction]
    ) -> DropReason? {
        guard itsSession == link.session else { return .staleSession }
        guard case .preparing(let session, let duty, var download?) = state else { return .noRun }
        guard download.receive(part, now: now) else { return .upToDate }
        actions.append(.storeState(part))
        guard download.isComplete else {
            state = .preparing(session, duty, download)
            load(now: now, into: &actions)
            return nil
        }
        actions.append(.adoptState(duty.order.firstStep))
        serve(
            duty, session, reportByteCount: download.reportByteCount, now: now, into: &actions)
        return nil
    }
}
