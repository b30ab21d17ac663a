import TrainingPlan

/// Every bound on a queue, a wait, a retry or a size of the protocol, each with its reason.
/// Bounds of settings are in ``SettingLimits``.
package enum Limits {
    // MARK: The control plane

    /// Twenty statements fit into a lease: a few lost or late ones expel nobody.
    package static let heartbeatIntervalMilliseconds = 500
    /// A statement that has not been answered yet is repeated sooner: somebody waits for it.
    package static let unansweredIntervalMilliseconds = 100
    /// Longer than a stalled disk or an unplugged cable, shorter than a person's patience.
    package static let peerLeaseMilliseconds = 10_000
    /// A member that was told to leave, or has told that it leaves, waits so long to be heard.
    package static let farewellMilliseconds = 1_000
    /// The coordinator waits so long for members to leave after Ctrl-C; else as long as a lease.
    package static let interruptedFarewellMilliseconds = 1_000
    /// The largest network we accept takes seconds a step on one core; a run that commits
    /// nothing for this long is stuck.
    package static let stalledRunMilliseconds = 300_000
    /// Beyond this one server's links and the coordinator's heartbeats need another design.
    package static let maximumWorkers = 1_024
    /// Connections whose junk is told apart; a port scan may open any number of them.
    package static let maximumJunkPeers = 1_024
    /// Counts of dropped frames are logged so often.
    package static let dropReportIntervalMilliseconds = 60_000

    // MARK: The step

    /// One core computes about so many while a node crosses a link of 1 Gb/s, whatever the model.
    /// On slower links leaves are dealt alike; on faster ones a step is short anyway.
    package static let examplesPerPushedNode = 1_000
    /// What a worker waits for an answer before it inquires: at least a few exchanges of the usual
    /// model, so that a busy server is not asked for nothing.
    package static let shortestInquiryMilliseconds = 20
    /// An inquiry is 64 bytes: even a thousand workers may ask twice a second. And a link that was
    /// down is used again so soon.
    package static let longestInquiryMilliseconds = 500
    /// Before the first step has been timed.
    package static let firstInquiryMilliseconds = 200
    /// A server that has answered nothing for so long, though asked again and again, may sit behind
    /// a connection that died without a sign: a new one is made, after twice as long the next.
    package static let shortestReconnectMilliseconds = 3_000
    package static let longestReconnectMilliseconds = 600_000
    /// What a slow link is believed to carry, in bytes a millisecond (10 MB/s): where an answer has
    /// to wait behind large frames, it is given the time that they take.
    package static let slowLinkBytesPerMillisecond = 10_000
    /// Weights that were sent over a connection are not sent again over it so soon.
    package static let repeatedWeightsMilliseconds = 100
    /// A few exchanges of the usual model; longer waits are no steady step, and the CPU is left to
    /// others.
    package static let awakeWaitMicroseconds = 3_000

    // MARK: Workers that come and go

    /// Leaves that are missing for so long, or for a multiple of the time that steps take, are
    /// given to others: well above a hiccup of a machine, well below what a person sees.
    package static let shortestLatenessMilliseconds = 50
    package static let longestLatenessMilliseconds = 60_000
    /// Before the first step has been timed: it waits for everyone's first weights and caches.
    package static let firstLatenessMilliseconds = 1_000
    /// Ranges of late leaves that a server names at a time.
    package static let maximumLateRanges = 64
    /// A worker whose leaves were given to others gets leaves again after so long, and after twice
    /// as long each time that it is late again.
    package static let shortestProbationMilliseconds = 500
    package static let longestProbationMilliseconds = 60_000

    /// Workers that are asked for a node on which others disagree.
    package static let maximumVotes = 16

    /// A server that is started again at once has its place; then the shards are cut anew for those
    /// that are left.
    package static let replacementMilliseconds = 3_000
    /// A worker that is ready and hosts no server yet is waited for so long.
    package static let hostedServerMilliseconds = 2_000
    /// After Ctrl-C a checkpoint is waited for so long.
    package static let lastCheckpointMilliseconds = 1_000

    // MARK: Reports and snapshots

    /// Step reports that a server keeps until they are recorded: a few hundred milliseconds of the
    /// fastest steps, which a slow disk or a lost connection may take.
    package static let maximumUnrecordedReports = 1_024
    /// And their bytes.
    package static let maximumUnrecordedReportByteCount = 4 << 20
    /// Fewer would stop a server at each report.
    package static let minimumUnrecordedReports = 4
    /// Reports that are sent together, unless they have waited for so long: far shorter than people
    /// see, far longer than a step that would be kept up by sending.
    package static let reportsAtOnce = 32
    package static let reportDelayMilliseconds = 5
    /// A report that was sent so long ago, or a multiple, may be on its way no longer: if the
    /// coordinator says that it has not got it, it is sent again.
    package static let reportRetryMilliseconds = 100
    package static let longestReportRetryMilliseconds = 1_000
    /// Weights to be evaluated that a server keeps until the coordinator has them, and that the
    /// coordinator keeps until they are evaluated: one in work, one waiting.
    package static let maximumSnapshots = 2

    // MARK: Transfers in parts

    /// One part of a data set or a snapshot: amortises the header, and at 10 Mbit/s takes 0.2 s.
    package static let partByteCount = 1 << 18
    /// Keeps a link busy without holding more than a megabyte in memory.
    package static let partsInFlight = 4
    /// A part that has not come is asked for again after this long at first; later, after a
    /// multiple of the time that parts take. On a slow link the first ones are asked for several
    /// times.
    package static let firstPartRetryMilliseconds = 300
    package static let shortestPartRetryMilliseconds = 100
    package static let longestPartRetryMilliseconds = 8_000
    /// No part for this long, though asked again and again: a new connection.
    package static let partReconnectMilliseconds = 3_000
    /// No part for this long over any connection: the transfer has failed.
    package static let transferStallMilliseconds = 30_000

    // MARK: Sizes

    /// A statement that names every worker and server at their limits stays below this.
    package static let maximumStatementByteCount = 1 << 18
    /// Any text in a statement: a host, an endpoint, a reason.
    package static let maximumTextByteCount = 4_096
    /// An endpoint: a host's name with scheme and port, or a path. A statement names every
    /// server's.
    package static let maximumEndpointByteCount = 1_024
    /// A host's name (RFC 1035 allows 253).
    package static let maximumHostByteCount = 255
    /// The name of memory that two processes share.
    package static let maximumChannelNameByteCount = 128
    /// Five million images of 28×28.
    package static let maximumDatasetByteCount = 1 << 32
    /// Far beyond any run, far from overflow.
    package static let maximumStep = 1 << 50
    /// Far beyond the statements of any session, far from overflow.
    package static let maximumStatementNumber: UInt64 = 1 << 62
    /// The metrics words that travel with shard 0: several words a layer.
    package static let maximumMetricsByteCount = 1 << 16
    /// Trace events are sent together: few enough to be sent some times a second, small beside a
    /// step's frames.
    package static let maximumTraceByteCount = 1 << 14
    /// A squared norm for each row, and there are no more rows than parameters.
    package static let maximumReportByteCount =
        SettingLimits.maximumParameterCount * 4 + maximumMetricsByteCount
        + ShardPlan.digestByteCount
    /// A shard of the largest network with a bit for each row, which has a float at least, and its
    /// metrics.
    package static let maximumDataPayloadByteCount =
        SettingLimits.maximumParameterCount * 4 + SettingLimits.maximumParameterCount / 8
        + maximumMetricsByteCount
    /// For `MAXMSGSIZE` of control sockets of members, and of data sockets that bring parts.
    package static let maximumPartFrameByteCount =
        FrameHeader.byteCount + max(maximumStatementByteCount, partByteCount)
    /// For `MAXMSGSIZE`, before a configuration is known.
    package static let maximumFrameByteCount =
        FrameHeader.byteCount + maximumDataPayloadByteCount

    /// The step reports of so many bytes that a server keeps until they are recorded.
    package static func unrecordedReports(reportByteCount: Int) -> Int {
        let affordable = maximumUnrecordedReportByteCount / max(reportByteCount, 1)
        return min(maximumUnrecordedReports, max(minimumUnrecordedReports, affordable))
    }

    /// How long `byteCount` bytes may take on a slow link, in milliseconds.
    package static func slowLinkMilliseconds(byteCount: Int) -> Int {
        byteCount / slowLinkBytesPerMillisecond
    }
}
