/// When to ask again for an answer that has not come: from the times that answers took, as TCP does
/// it (RFC 6298), then twice as long each time.
struct RepeatTimer: Sendable {
    /// How far apart two tries may be, in milliseconds.
    private let bounds: ClosedRange<Int>
    /// In eighths of a millisecond, after RFC 6298; nil before the first answer.
    private var mean: Int?
    private var deviation = 0
    /// What the interval had to be doubled to for an answer, or half of that.
    private var backedOff = 0
    private let firstMilliseconds: Int

    init(first: Int, bounds: ClosedRange<Int>) {
        firstMilliseconds = first
        self.bounds = bounds
    }

    /// An answer took so long, and was asked for once: which of several questions is answered
    /// cannot be known (Karn's rule).
    mutating func observe(milliseconds: Int) {
        backedOff = 0
        let sample = milliseconds * 8
        guard let mean else {
            self.mean = sample
            deviation = sample / 2
            return
        }
        deviation += (abs(sample - mean) - deviation) / 4
        self.mean = mean + (sample - mean) / 8
    }

    /// An answer came only after questions so far apart: the next ones begin nearer to that, until
    /// one is answered at once. Half of it, so that losses alone do not keep the questions apart.
    mutating func observeRepeated(interval: Int) { backedOff = interval / 2 }

    /// Until the first repetition.
    var interval: Int {
        let estimate = mean.map { ($0 + 4 * deviation) / 8 } ?? firstMilliseconds
        return min(max(estimate, backedOff, bounds.lowerBound), bounds.upperBound)
    }

    /// Until the next one.
    func doubled(_ interval: Int) -> Int { min(2 * interval, bounds.upperBound) }
}
