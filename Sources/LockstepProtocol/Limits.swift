import TrainingPlan

/// Every bound on a queue, a wait, a retry or a size, each with its reason.
package enum Limits {
    // MARK: Waits

    /// Twenty heartbeats fit into a lease: a few lost or late ones expel nobody.
    package static let heartbeatIntervalMilliseconds = 500
    /// Longer than a stalled disk or a suspended laptop lid, shorter than a person's patience.
    package static let peerLeaseMilliseconds = 10_000
    /// A hello is small, and at start-up the coordinator may bind a moment after the first one.
    package static let helloRetryMilliseconds = 250
    /// Orders to members (prepare, start, end of session) are repeated until acknowledged.
    package static let orderRetryMilliseconds = 1_000
    /// Far above a step's time at any usual size; a repeated push is dropped at little cost.
    package static let firstPushRetryMilliseconds = 1_000
    /// The back-off doubles up to here, so that a slow step is not buried under copies.
    package static let longestPushRetryMilliseconds = 8_000
    /// One retry forgives a lost frame; a second silence means that the connection is dead.
    package static let pushRetriesBeforeReconnect = 2
    /// A few exchanges of the usual model; longer waits are no steady step, and the CPU is left to others.
    package static let awakeWaitMicroseconds = 3_000
    /// A worker that pushes several nodes of a committed step needs the weights once.
    package static let weightsAnswerIntervalMilliseconds = 100
    /// Members leave within a second of the session's end; the coordinator waits no longer.
    package static let goodbyeWaitMilliseconds = 1_000
    /// Several tries fit into the wait for goodbyes.
    package static let sessionEndedRetryMilliseconds = 250
    /// The largest network we accept takes seconds a step on one core; a run that commits
    /// nothing for this long is stuck.
    package static let stalledRunMilliseconds = 300_000
    /// Keeps a link busy without holding more than a few chunks in memory.
    package static let datasetRequestsInFlight = 4
    /// A chunk takes 80 ms at 100 Mbit/s; a request unanswered this long is asked again.
    package static let datasetRetryMilliseconds = 2_000
    /// No chunk for this long, though asked again and again: the transfer has failed.
    package static let datasetStallMilliseconds = 30_000

    // MARK: Members

    /// Beyond this one server's links and the coordinator's heartbeats need another design.
    package static let maximumWorkers = 1_024
    /// Connections whose junk is told apart; a port scan may open any number of them.
    package static let maximumJunkPeers = 1_024

    // MARK: Frames

    /// One chunk of the data set: amortises the header, and a repeated one costs little.
    package static let datasetChunkByteCount = 1 << 20
    /// An order that names every worker and server at their limits stays below this.
    package static let maximumControlPayloadByteCount = 1 << 20
    /// The metrics words that travel with shard 0: several words a layer.
    package static let maximumMetricsByteCount = 1 << 16
    /// A shard of the largest network with a bit for each row, which has a float at least, and its metrics.
    package static let maximumDataPayloadByteCount =
        SettingLimits.maximumParameterCount * 4 + SettingLimits.maximumParameterCount / 8
        + maximumMetricsByteCount
    /// For `MAXMSGSIZE`, before a configuration is known.
    package static let maximumFrameByteCount =
        FrameHeader.byteCount + maximumDataPayloadByteCount
}
