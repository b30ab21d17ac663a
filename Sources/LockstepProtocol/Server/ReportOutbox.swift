import TrainingPlan

/// The step reports that a server keeps: which are to be sent again, and whether there is room for
/// another.
///
/// Where steps are fast, several reports are sent at once: each sending wakes threads of two
/// processes, which takes longer than to make a report.
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
    /// The first one that was not sent yet.
    private var sent: Step
    private var sentAt: Instant
    /// The next one that will be made.
    private(set) var next: Step
    private var retryAt: Instant
    private var retryInterval = Limits.reportRetryMilliseconds

    init(from step: Step, reportByteCount: Int, now: Instant) {
        capacity = Limits.unrecordedReports(reportByteCount: reportByteCount)
        recorded = step
        received = step
        sent = step
        sentAt = now
        next = step
        retryAt = now
    }

    var hasRoom: Bool { next.index - recorded.index < capacity }

    /// A step was committed.
    ///
    /// - Parameter isUrgent: whether its report is waited for.
    /// - Returns: the steps whose reports are to be sent now.
    mutating func append(isUrgent: Bool, now: Instant) -> Range<Int> {
        if received == next { restart(now: now) }
        next = next.next
        let isMany = next.index - sent.index >= min(Limits.reportsAtOnce, capacity / 4)
        return isUrgent || isMany ? takeUnsent(now: now) : takeDue(now: now)
    }

    /// The reports that have waited for others long enough.
    mutating func takeDue(now: Instant) -> Range<Int> {
        now.milliseconds(since: sentAt) >= Limits.reportDelayMilliseconds
            ? takeUnsent(now: now) : 0..<0
    }

    private mutating func takeUnsent(now: Instant) -> Range<Int> {
        defer {
            sent = next
            sentAt = now
        }
        return sent.index..<next.index
    }

    /// What the coordinator has. Steps that were never reported are not believed.
    ///
    /// - Returns: the steps whose reports are to be sent again.
    mutating func acknowledge(_ receipts: Receipts, now: Instant) -> Range<Int> {
        let isNews = receipts.received > received && receipts.received <= sent
        if isNews {
            received = receipts.received
            restart(now: now)
        }
        if receipts.recorded > recorded, receipts.recorded <= received {
            recorded = receipts.recorded
        }
        guard !isNews, received < sent, now >= retryAt else { return 0..<0 }
        retryInterval = min(2 * retryInterval, Limits.longestReportRetryMilliseconds)
        retryAt = now.advanced(byMilliseconds: retryInterval)
        return received.index..<sent.index
    }

    private mutating func restart(now: Instant) {
        retryInterval = Limits.reportRetryMilliseconds
        retryAt = now.advanced(byMilliseconds: retryInterval)
    }
}
