import TrainingPlan

/// A process that has joined.
struct Member: Sendable {
    let name: MemberName
    let description: MemberDescription
    var peer: PeerHandle
    var phase: MemberPhase
    var lastHeard: Instant
    /// Of its newest status.
    var lastNumber: StatementNumber
    /// Of the newest assignment to it, and when that was sent.
    var assigned: StatementNumber = 0
    var assignedAt: Instant = 0
}

/// Who is there, by incarnation; a stale incarnation is not found here, and so is fenced off.
///
/// Look-ups and counts take constant time, however many have come and gone.
struct Membership: Sendable {
    /// By incarnation, counted from the first: nil for those who are gone.
    private var slots: [Member?] = []
    private var incarnations: [UInt64: Incarnation] = [:]
    private(set) var workerCount = 0
    private(set) var serverCount = 0
    /// Workers that hold what a run needs and are in none.
    private(set) var readyWorkerCount = 0

    var isEmpty: Bool { workerCount + serverCount == 0 }

    /// Ascending by incarnation, which is the order in which they came.
    var members: [Member] { slots.compactMap(\.self) }

    /// Ascending.
    var workers: [Incarnation] {
        slots.compactMap { $0?.name.role == .worker ? $0?.name.incarnation : nil }
    }

    subscript(_ incarnation: Incarnation) -> Member? {
        place(of: incarnation).flatMap { slots[$0] }
    }

    /// The server with this data port; nil for none, and for no port.
    func server(at dataEndpoint: String?) -> Member? {
        guard let dataEndpoint else { return nil }
        for case .some(let member) in slots where member.description.dataEndpoint == dataEndpoint {
            return member
        }
        return nil
    }

    func member(nonce: UInt64) -> Member? { incarnations[nonce].flatMap { self[$0] } }

    mutating func add(
        _ status: Status, _ number: StatementNumber, peer: PeerHandle, now: Instant
    ) -> Member {
        let description = status.member
        let incarnation = Incarnation(slots.count + 1)
        let member = Member(
            name: MemberName(
                role: description.role, incarnation: incarnation, host: description.host,
                processID: description.processID), description: description, peer: peer,
            phase: .joining(datasetBytes: 0), lastHeard: now, lastNumber: number)
        slots.append(member)
        incarnations[description.nonce] = incarnation
        count(member, by: 1)
        return member
    }

    mutating func remove(_ incarnation: Incarnation) {
        guard let place = place(of: incarnation), let member = slots[place] else { return }
        count(member, by: -1)
        incarnations[member.description.nonce] = nil
        slots[place] = nil
    }

    mutating func update(_ incarnation: Incarnation, _ change: (inout Member) -> Void) {
        guard let place = place(of: incarnation), var member = slots[place] else { return }
        count(member, by: -1)
        // One owner while it changes.
        slots[place] = nil
        change(&member)
        slots[place] = member
        count(member, by: 1)
    }

    /// The first member that has been silent for longer than its lease.
    func expired(now: Instant) -> Member? {
        for case .some(let member) in slots
        where now.milliseconds(since: member.lastHeard) >= Limits.peerLeaseMilliseconds {
            return member
        }
        return nil
    }

    /// The members to which nothing was sent for so long.
    func due(now: Instant, interval: Int) -> [Incarnation] {
        slots.compactMap { member in
            guard let member, now.milliseconds(since: member.assignedAt) >= interval else {
                return nil
            }
            return member.name.incarnation
        }
    }

    private mutating func count(_ member: Member, by one: Int) {
        switch member.name.role {
        case .worker:
            workerCount += one
            if member.phase == .ready { readyWorkerCount += one }
        case .server: serverCount += one
        }
    }

    private func place(of incarnation: Incarnation) -> Int? {
        let place = incarnation.index - 1
        return slots.indices.contains(place) ? place : nil
    }
}
