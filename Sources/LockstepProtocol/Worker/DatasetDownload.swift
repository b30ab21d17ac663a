/// Which parts of the data set to ask for, and when to ask again.
struct DatasetDownload: Sendable {
    let byteCount: UInt64
    private var nextOffset: UInt64 = 0
    private var outstanding: [(chunk: DatasetChunk, askedAt: Instant)] = []
    private var lastReceived: Instant

    init(byteCount: UInt64, now: Instant) {
        self.byteCount = byteCount
        lastReceived = now
    }

    var isComplete: Bool { nextOffset == byteCount && outstanding.isEmpty }

    func isStalled(now: Instant) -> Bool {
        !isComplete && now.milliseconds(since: lastReceived) >= Limits.datasetStallMilliseconds
    }

    /// The next part to ask for; nil while enough are asked for, or none is left.
    mutating func nextRequest(now: Instant) -> DatasetChunk? {
        guard outstanding.count < Limits.datasetRequestsInFlight, nextOffset < byteCount else {
            return nil
        }
        let length = min(UInt64(Limits.datasetChunkByteCount), byteCount - nextOffset)
        let chunk = DatasetChunk(offset: nextOffset, byteCount: UInt32(length))
        nextOffset += length
        outstanding.append((chunk, now))
        return chunk
    }

    /// A part that was asked for too long ago, to be asked for again.
    mutating func overdueRequest(now: Instant) -> DatasetChunk? {
        let overdue = outstanding.firstIndex {
            now.milliseconds(since: $0.askedAt) >= Limits.datasetRetryMilliseconds
        }
        guard let overdue else { return nil }
        outstanding[overdue].askedAt = now
        return outstanding[overdue].chunk
    }

    /// True if the part was waited for; false for a repeated or foreign one.
    mutating func receive(_ chunk: DatasetChunk, now: Instant) -> Bool {
        guard let index = outstanding.firstIndex(where: { $0.chunk == chunk }) else {
            return false
        }
        outstanding.remove(at: index)
        lastReceived = now
        return true
    }
}
