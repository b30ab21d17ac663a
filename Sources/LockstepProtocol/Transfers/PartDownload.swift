import TrainingPlan

/// Which parts of something large to ask for, when to ask again, and when over a new connection.
///
/// The receiver asks, so a part that is lost, repeated or late changes nothing, and the sender
/// keeps nothing in mind.
package struct PartDownload: Sendable {
    /// What to do next.
    package enum Step: Hashable, Sendable {
        case request(BytePart)
        case reconnect
        /// Nothing has come for ``Limits/transferStallMilliseconds``.
        case fail
    }

    private struct Request {
        var part: BytePart
        var askedAt: Instant
        var retryAt: Instant
        var interval: Int
        var isRepeated = false
    }

    package let byteCount: UInt64
    package private(set) var receivedByteCount: UInt64 = 0
    private var nextOffset: UInt64 = 0
    private var outstanding: [Request] = []
    private var lastReceived: Instant
    private var connectedAt: Instant
    private var reconnectAfter = Limits.partReconnectMilliseconds
    private var timer = RepeatTimer(
        first: Limits.firstPartRetryMilliseconds,
        bounds: Limits.shortestPartRetryMilliseconds...Limits.longestPartRetryMilliseconds)

    package init(byteCount: UInt64, now: Instant) {
        self.byteCount = byteCount
        lastReceived = now
        connectedAt = now
    }

    package var isComplete: Bool { receivedByteCount == byteCount }

    /// Appends what is to be done by now.
    package mutating func advance(now: Instant, into steps: inout [Step]) {
        if isComplete { return }
        if now.milliseconds(since: lastReceived) >= Limits.transferStallMilliseconds {
            steps.append(.fail)
            return
        }
        if now.milliseconds(since: max(lastReceived, connectedAt)) >= reconnectAfter {
            reconnectAfter *= 2
            steps.append(.reconnect)
            reconnected(now: now)
        }
        for index in outstanding.indices where now >= outstanding[index].retryAt {
            let interval = timer.doubled(outstanding[index].interval)
            outstanding[index].interval = interval
            outstanding[index].retryAt = now.advanced(byMilliseconds: interval)
            outstanding[index].isRepeated = true
            steps.append(.request(outstanding[index].part))
        }
        while outstanding.count < Limits.partsInFlight, nextOffset < byteCount {
            let length = min(UInt64(Limits.partByteCount), byteCount - nextOffset)
            let part = BytePart(offset: nextOffset, byteCount: UInt32(length))
            nextOffset += length
            outstanding.append(
                Request(
                    part: part, askedAt: now,
                    retryAt: now.advanced(byMilliseconds: timer.interval),
                    interval: timer.interval))
            steps.append(.request(part))
        }
    }

    /// The connection is a new one: what was asked for over the one before is asked for again.
    package mutating func reconnected(now: Instant) {
        connectedAt = now
        for index in outstanding.indices { outstanding[index].retryAt = now }
    }

    /// True if the part was waited for; false for a repeated or foreign one.
    package mutating func receive(_ part: BytePart, now: Instant) -> Bool {
        guard let index = outstanding.firstIndex(where: { $0.part == part }) else { return false }
        let request = outstanding.remove(at: index)
        if request.isRepeated {
            timer.observeRepeated(interval: request.interval)
        } else {
            timer.observe(milliseconds: now.milliseconds(since: request.askedAt))
        }
        receivedByteCount += UInt64(part.byteCount)
        lastReceived = now
        reconnectAfter = Limits.partReconnectMilliseconds
        return true
    }
}
