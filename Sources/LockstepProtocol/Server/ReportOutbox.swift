import TrainingPlan

/// The step reports that a server keeps: which are to be sent again, and whether there is room for
/// another.
///
/// The coordinator says what it has received and what it has recorded: at its heartbeats, and at
/// once where one is missing. Only then, and only what was sent a while ago, is sent again, so that
/// reports that arrive are sent once, however fast the steps are.
struct ReportOutbox: Sendable {
    /// How many reports are kept at most.
    let capacity: Int
    /// Reports from this step on are kept.
    private(set) var recorded: Step
    /// The first one that the coordinator has not received.
    private var received: Step
    /// The next one that will be made.
    private(set) var next: Step
    private var retryAt: Instant
    private var retryInterval = Limits.reportRetryMilliseconds

    init(from step: Step, reportByteCount: Int, now: Instant) {
        capacity = Limits.unrecordedReports(reportByteCount: reportByteCount)
        recorded = step
        received = step
        next = step
        retryAt = now
    }

    var hasRoom: Bool { next.index - recorded.index < capacity }

    /// A step was committed; its report is sent now.
    mutating func append(now: Instant) {
        if received == next { restart(now: now) }
        next = next.next
    }

    /// What the coordinator has. Steps that were never reported are not believed.
    ///
    /// - Returns: the steps whose reports are to be sent again.
    mutating func acknowledge(_ receipts: Receipts, now: Instant) -> Range<Int> {
        let isNews = receipts.received > received && receipts.received <= next
        if isNews {
            received = receipts.received
            restart(now: now)
        }
        if receipts.recorded > recorded, receipts.recorded <= received {
            recorded = receipts.recorded
        }
        guard !isNews, received < next, now >= retryAt else { return 0..<0 }
        retryInterval = min(2 * retryInterval, Limits.longestReportRetryMilliseconds)
        retryAt = now.advanced(byMilliseconds: retryInterval)
        return received.index..<next.index
    }

    private mutating func restart(now: Instant) {
        retryInterval = Limits.reportRetryMilliseconds
        retryAt = now.advanced(byMilliseconds: retryInterval)
    }
}
