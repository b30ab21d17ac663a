import TrainingPlan

/// A process that has joined.
struct Member: Sendable {
    let name: MemberName
    let hello: Hello
    var peer: PeerHandle
    /// Has what a run needs: the data set, if it is a worker.
    var isReady: Bool
    var lastHeard: Instant
    var progress: Heartbeat
    /// What it has to acknowledge, and when that was sent last.
    var order: ControlMessage?
    var orderedAt: Instant = 0
}

/// Who is there, by incarnation; a stale incarnation is not found here, and so is fenced off.
struct Membership: Sendable {
    private(set) var members: [Member] = []
    private var nextIncarnation: Incarnation = 1

    /// Ascending by incarnation, which is the order in which they came.
    func all(_ role: Role) -> [Member] { members.filter { $0.name.role == role } }

    func count(_ role: Role) -> Int { members.reduce(0) { $0 + ($1.name.role == role ? 1 : 0) } }

    var readyWorkers: [Member] { all(.worker).filter(\.isReady) }

    subscript(_ incarnation: Incarnation) -> Member? {
        index(of: incarnation).map { members[$0] }
    }

    func member(nonce: UInt64) -> Member? { members.first { $0.hello.nonce == nonce } }

    mutating func add(_ hello: Hello, peer: PeerHandle, now: Instant) -> Member {
        let name = MemberName(
            role: hello.role, incarnation: nextIncarnation, host: hello.host,
            processID: hello.processID)
        nextIncarnation = nextIncarnation.next
        let isServer = hello.role == .server
        let member = Member(
            name: name, hello: hello, peer: peer, isReady: isServer, lastHeard: now,
            progress: Heartbeat(isServer ? .waitingForRun : .fetchingDataset))
        members.append(member)
        return member
    }

    mutating func remove(_ incarnation: Incarnation) {
        members.removeAll { $0.name.incarnation == incarnation }
    }

    /// A frame has come: renews the lease, and follows the member to a new connection. False for a
    /// stale incarnation.
    mutating func hears(_ incarnation: Incarnation, from peer: PeerHandle, now: Instant) -> Bool {
        guard let index = index(of: incarnation) else { return false }
        members[index].lastHeard = now
        members[index].peer = peer
        return true
    }

    mutating func setReady(_ incarnation: Incarnation) {
        if let index = index(of: incarnation) { members[index].isReady = true }
    }

    mutating func setProgress(_ incarnation: Incarnation, _ progress: Heartbeat) {
        if let index = index(of: incarnation) { members[index].progress = progress }
    }

    /// Notes an order that is repeated until it is settled.
    mutating func setOrder(_ incarnation: Incarnation, _ order: ControlMessage?, now: Instant) {
        guard let index = index(of: incarnation) else { return }
        members[index].order = order
        members[index].orderedAt = now
    }

    mutating func dropOrders() {
        for index in members.indices { members[index].order = nil }
    }

    /// The orders that are due again, each with its peer.
    mutating func dueOrders(
        now: Instant, interval: Int, into actions: inout [CoordinatorAction]
    ) {
        for index in members.indices {
            guard let order = members[index].order,
                now.milliseconds(since: members[index].orderedAt) >= interval
            else { continue }
            members[index].orderedAt = now
            actions.append(.send(members[index].peer, order))
        }
    }

    /// The first member that has been silent for longer than its lease.
    func expired(now: Instant) -> Member? {
        members.first { now.milliseconds(since: $0.lastHeard) >= Limits.peerLeaseMilliseconds }
    }

    private func index(of incarnation: Incarnation) -> Int? {
        members.firstIndex { $0.name.incarnation == incarnation }
    }
}
