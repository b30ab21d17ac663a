import TrainingPlan

/// How far a worker is with the session's data set: looked for on this host, fetched, verified.
struct DatasetFetch: Sendable {
    let session: Session
    private var stage = Stage.looking

    private enum Stage: Sendable {
        case looking
        case downloading(PartDownload)
        case verifying
    }

    init(_ session: Session) { self.session = session }

    var isLooking: Bool { if case .looking = stage { true } else { false } }
    var isVerifying: Bool { if case .verifying = stage { true } else { false } }

    var receivedByteCount: UInt64 {
        switch stage {
        case .looking: 0
        case .downloading(let download): download.receivedByteCount
        case .verifying: session.dataset.byteCount
        }
    }

    /// It is not on this host.
    mutating func begin(now: Instant) {
        stage = .downloading(PartDownload(byteCount: session.dataset.byteCount, now: now))
    }

    /// Asks for what is due.
    ///
    /// - Returns: why the transfer has failed, if it has.
    mutating func advance(now: Instant, into actions: inout [WorkerAction]) -> StopReason? {
        guard case .downloading(var download) = stage else { return nil }
        var steps: [PartDownload.Step] = []
        download.advance(now: now, into: &steps)
        stage = .downloading(download)
        for step in steps {
            switch step {
            case .request(let part): actions.append(.requestPart(part))
            case .reconnect:
                actions.append(.connectDataset(endpoint: session.dataEndpoint))
            case .fail:
                return StopReason(
                    .lostPeer,
                    "no part of the data set has come from \(placeText(session.dataEndpoint)) for "
                        + "\(seconds(Limits.transferStallMilliseconds)) s: check the network, and "
                        + "start the worker again")
            }
        }
        if download.isComplete {
            stage = .verifying
            actions.append(.verifyDataset)
        }
        return nil
    }

    /// True if the part was waited for.
    mutating func receive(
        _ part: BytePart, now: Instant, into actions: inout [WorkerAction]
    ) -> Bool {
        guard case .downloading(var download) = stage, download.receive(part, now: now) else {
            return false
        }
        stage = .downloading(download)
        actions.append(.storePart(part))
        return true
    }
}
