import TrainingPlan

/// A member's side of its tie to the coordinator: hello until welcomed, heartbeats, and the lease.
///
/// Server and worker have the same; time comes from them.
package struct CoordinatorLink: Sendable {
    /// What is due now.
    package enum Due: Hashable, Sendable {
        case hello(Hello)
        case heartbeat
        case stop(StopReason)
    }

    private enum State: Hashable {
        case greeting(since: Instant)
        case joined
        case closed
    }

    package let hello: Hello
    /// As the person gave it, for messages.
    package let coordinatorAddress: String
    package let waitTimeoutMilliseconds: Int
    package private(set) var session = SessionID.none
    package private(set) var incarnation = Incarnation.none
    private var state = State.closed
    private var lastSent: Instant = 0
    private var lastHeard: Instant = 0

    package init(hello: Hello, coordinatorAddress: String, waitTimeoutMilliseconds: Int) {
        self.hello = hello
        self.coordinatorAddress = coordinatorAddress
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }

    package var isJoined: Bool { state == .joined }
    package var isClosed: Bool { state == .closed }

    /// Begins to greet; the hello is to be sent now.
    package mutating func open(now: Instant) -> Hello {
        state = .greeting(since: now)
        lastSent = now
        return hello
    }

    package mutating func close() { state = .closed }

    /// Takes the first welcome; false for any other one.
    package mutating func join(_ welcome: Welcome, now: Instant) -> Bool {
        guard case .greeting = state else { return false }
        session = welcome.session
        incarnation = welcome.incarnation
        state = .joined
        lastHeard = now
        return true
    }

    /// True if a frame of this session counts: it renews the lease.
    package mutating func hears(session frameSession: SessionID, now: Instant) -> Bool {
        guard state == .joined, frameSession == session else { return false }
        lastHeard = now
        return true
    }

    /// - Parameter progress: where the member stands, for the message of a lost coordinator.
    package mutating func tick(now: Instant, progress: Heartbeat) -> Due? {
        switch state {
        case .closed: return nil
        case .greeting(let since):
            if now.milliseconds(since: since) >= waitTimeoutMilliseconds {
                return .stop(noAnswer)
            }
            guard now.milliseconds(since: lastSent) >= Limits.helloRetryMilliseconds else {
                return nil
            }
            lastSent = now
            return .hello(hello)
        case .joined:
            let silence = now.milliseconds(since: lastHeard)
            if silence >= Limits.peerLeaseMilliseconds {
                return .stop(lostCoordinator(silenceMilliseconds: silence, progress))
            }
            guard now.milliseconds(since: lastSent) >= Limits.heartbeatIntervalMilliseconds else {
                return nil
            }
            lastSent = now
            return .heartbeat
        }
    }

    /// A frame of another release has come from the coordinator.
    package func otherVersion(_ version: UInt16) -> StopReason {
        StopReason(
            .mismatch,
            "the coordinator at \(coordinatorAddress) speaks frame version \(version), and this "
                + "\(hello.role.rawValue) speaks \(FrameHeader.version): start the same release "
                + "of Lockstep everywhere")
    }

    private var noAnswer: StopReason {
        StopReason(
            .unavailable,
            "no coordinator has answered at \(coordinatorAddress) within "
                + "\(seconds(waitTimeoutMilliseconds)) s: start it, check the address, or wait "
                + "longer with --wait-timeout")
    }

    private func lostCoordinator(silenceMilliseconds: Int, _ progress: Heartbeat) -> StopReason {
        StopReason(
            .lostPeer,
            "the coordinator at \(coordinatorAddress) has been silent for "
                + "\(seconds(silenceMilliseconds)) s, last known \(progress): look at its log and "
                + "start again")
    }
}

/// Milliseconds as seconds for a person, e.g. `10` or `2.5`.
package func seconds(_ milliseconds: Int) -> String {
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    return rest < 100 ? "\(whole)" : "\(whole).\(rest / 100)"
}

extension Heartbeat: CustomStringConvertible {
    package var description: String {
        switch (run, step) {
        case (let run?, let step?): "\(activity.rawValue) at step \(step) of run \(run)"
        case (let run?, nil): "\(activity.rawValue) in run \(run)"
        case (nil, _): activity.rawValue
        }
    }
}
