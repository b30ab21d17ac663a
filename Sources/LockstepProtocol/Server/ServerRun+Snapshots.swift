import TrainingPlan

/// What the coordinator asks a server for.
extension ServerRun {
    mutating func snapshotRequest(
        _ request: SnapshotPart, from peer: PeerHandle, into actions: inout [ServerAction]
    ) -> DropReason? {
        if let reason = judge(request.address) { return reason }
        guard keepsWeights(of: request.address.step) else { return .outOfRange }
        actions.append(.sendPart(to: peer, request))
        return nil
    }

    /// The engine keeps the weights of the current step and of the one before, and snapshots.
    private func keepsWeights(of wanted: Step) -> Bool {
        wanted == step || wanted.next == step || snapshots.contains(wanted)
            || wanted == checkpoint && wanted <= step
    }
}
