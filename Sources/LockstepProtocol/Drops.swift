/// Why a frame was not used. Counted by every machine, and told by ``DropCounts``.
package enum DropReason: Int, Hashable, Sendable, CaseIterable {
    // Not a frame that belongs here.
    case foreign, otherVersion, damaged, malformed, wrongType
    // Of another time or place.
    case noRun, staleSession, staleRun, staleGeneration, staleIncarnation, staleStatement,
        wrongShard
    /// Committed already: answered with the newest weights.
    case olderStep
    case futureStep
    case notANode, covered, conflict
    /// A part that is not there.
    case outOfRange
    /// The run has halted here.
    case halted
    /// What it brings is here already.
    case upToDate

    package var text: String {
        switch self {
        case .foreign: "not frames of Lockstep"
        case .otherVersion: "another protocol version"
        case .damaged: "damaged in transit"
        case .malformed: "malformed"
        case .wrongType: "of a type that does not belong here"
        case .noRun: "no run is open"
        case .staleSession: "of another session"
        case .staleRun: "of another run"
        case .staleGeneration: "of another generation"
        case .staleIncarnation: "from a process that is not a member"
        case .staleStatement: "an older statement"
        case .wrongShard: "for another shard"
        case .olderStep: "of a committed step"
        case .futureStep: "of a later step"
        case .notANode: "not a node of the step's tree"
        case .covered: "repeated or covered nodes"
        case .conflict: "in conflict with another worker's"
        case .outOfRange: "a part that does not exist"
        case .halted: "after the run halted"
        case .upToDate: "repeated"
        }
    }
}

/// How many frames were dropped, by reason.
public struct DropCounts: Hashable, Sendable {
    private var counts = Array(repeating: 0, count: DropReason.allCases.count)

    package init() {}

    package mutating func add(_ reason: DropReason) { counts[reason.rawValue] += 1 }

    package subscript(_ reason: DropReason) -> Int { counts[reason.rawValue] }

    /// Why what came since `earlier` was dropped; nil if nothing was.
    package func reasons(since earlier: DropCounts) -> String? {
        let reasons = DropReason.allCases.filter { self[$0] > earlier[$0] }.map(\.text)
        return reasons.isEmpty ? nil : reasons.joined(separator: ", ")
    }

    /// What came since `earlier`, in words; nil if nothing did.
    package func summary(since earlier: DropCounts) -> String? {
        let parts = DropReason.allCases.compactMap { reason -> String? in
            let count = self[reason] - earlier[reason]
            return count == 0 ? nil : "\(count) \(reason.text)"
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

/// What a role drops, and what it tells of that: each foreign connection once, and all counts now
/// and then.
public struct DropLog: Sendable {
    public private(set) var counts = DropCounts()
    private var reported = DropCounts()
    private var reportedAt: Instant?
    private var peers: Set<PeerHandle> = []

    package init() {}

    package mutating func add(_ reason: DropReason) { counts.add(reason) }

    /// Counts a frame that is not ours.
    ///
    /// - Returns: true if it is the first one of its connection, and so worth a line in the log.
    ///   Beyond ``Limits/maximumJunkPeers`` connections nothing more is told.
    package mutating func add(_ error: FrameError, from peer: PeerHandle?) -> Bool {
        counts.add(error.reason)
        guard let peer, peers.count < Limits.maximumJunkPeers else { return false }
        return peers.insert(peer).inserted
    }

    /// What was dropped since the last time, once a minute, in words.
    package mutating func due(now: Instant) -> String? {
        guard let last = reportedAt else {
            reportedAt = now
            return nil
        }
        guard now.milliseconds(since: last) >= Limits.dropReportIntervalMilliseconds else {
            return nil
        }
        reportedAt = now
        defer { reported = counts }
        return counts.summary(since: reported)
    }
}
