package import TrainingPlan

/// What a frame is, with the fields that its type has. Payloads are raw bytes unless said
/// otherwise.
package enum FrameContent: Hashable, Sendable {
    // MARK: Control ports

    /// Member → coordinator: a ``Status``.
    case status(StatementNumber)
    /// Coordinator → member: an ``Assignment``; in a traced session with the nanoseconds of the
    /// coordinator's clock at its sending, else with 0. Engines set and read that, machines do not.
    case assignment(StatementNumber, clock: UInt64 = 0)
    /// Server → coordinator: what the shard measured of a step that it has committed, so many
    /// nanoseconds after it began to serve the run's generation.
    case stepReport(StepAddress, elapsed: UInt64)
    /// Member → coordinator: what it has done, and when. Nothing waits for one, and one that is
    /// lost is a hole in the picture.
    case traceEvents(TraceBatch)

    /// A person's command → coordinator: wants a ``ClusterOverview``. No payload.
    case overviewRequest
    /// The answer.
    case overview
    /// A person's command → coordinator: wants so many workers beside it. No payload.
    case scaleRequest(workers: UInt32)
    /// The answer: a ``ScaleReply``.
    case scaleReply

    // MARK: Data ports

    /// Worker → server: a node's sum, the shard's slice of it; for shard 0 its metrics behind.
    case push(StepAddress, node: LeafRange)
    /// Worker → server: waits for the weights after this step. Which of these leaves, all pushed,
    /// are held? No leaves: the worker has just come.
    case inquiry(StepAddress, leaves: LeafRange)
    /// Worker → server: wants the shard's weights of a certain step, while it trains with those of
    /// its own. The newest are sent where the wanted ones are not kept. No payload.
    case weightsRequest(StepAddress, wanted: Step)
    /// Server → worker: the shard's weights of the step.
    case weights(StepAddress)
    /// Server → worker, in answer to an inquiry: a bit for each of the leaves, 1 where it is
    /// covered.
    case held(StepAddress, leaves: LeafRange)
    /// Worker → coordinator: a part of the data set's four files laid end to end. No payload.
    case datasetRequest(BytePart)
    /// Coordinator → worker.
    case datasetPart(BytePart)
    /// Coordinator → server: no payload.
    case snapshotRequest(SnapshotPart)
    /// Server → coordinator.
    case snapshotPart(SnapshotPart)

    // MARK: Between the transports of one host

    /// Worker → server: memory that both may share, by the name that is the payload.
    case channelOffer
    /// Something lies in that memory. No payload.
    case channelWake
}

/// One shard at one step of a run.
package struct StepAddress: Hashable, Sendable {
    package var run: RunIndex
    package var generation: Generation
    package var step: Step
    package var shard: ShardIndex

    package init(run: RunIndex, generation: Generation, step: Step, shard: ShardIndex) {
        self.run = run
        self.generation = generation
        self.step = step
        self.shard = shard
    }
}

/// Bytes of something large that is sent in parts: `offset ..< offset + byteCount`.
package struct BytePart: Hashable, Sendable {
    package var offset: UInt64
    package var byteCount: UInt32

    package init(offset: UInt64, byteCount: UInt32) {
        self.offset = offset
        self.byteCount = byteCount
    }
}

/// A part of a shard's weights of a step.
package struct SnapshotPart: Hashable, Sendable {
    package var address: StepAddress
    /// Its offset fits 32 bits: a shard has at most 256 MB.
    package var part: BytePart

    package init(address: StepAddress, part: BytePart) {
        self.address = address
        self.part = part
    }
}

/// The type of a frame on the wire. A number is never used again for something else.
public enum FrameType: UInt8, CaseIterable, Sendable {
    case status = 64
    case assignment = 65
    case stepReport = 66
    case push = 67
    case inquiry = 68
    case weights = 69
    case held = 70
    case datasetRequest = 71
    case datasetPart = 72
    case snapshotRequest = 73
    case snapshotPart = 74
    case weightsRequest = 75
    case overviewRequest = 76
    case overview = 77
    case scaleRequest = 78
    case scaleReply = 79
    case channelOffer = 80
    case channelWake = 81
    case traceEvents = 82

    /// The longest payload that any configuration allows, in bytes. Where a configuration is known
    /// the exact length follows from it, and is checked by whoever reads the payload.
    package var maximumPayloadByteCount: Int {
        switch self {
        case .inquiry, .weightsRequest, .datasetRequest, .snapshotRequest, .overviewRequest,
            .scaleRequest, .channelWake:
            0
        case .channelOffer: Limits.maximumChannelNameByteCount
        case .push, .weights: Limits.maximumDataPayloadByteCount
        case .stepReport: Limits.maximumReportByteCount
        case .traceEvents: Limits.maximumTraceByteCount
        case .held: SettingLimits.maximumBatchSize / 8
        case .datasetPart, .snapshotPart: Limits.partByteCount
        case .status, .assignment, .overview, .scaleReply: Limits.maximumStatementByteCount
        }
    }
}

extension FrameContent {
    package var type: FrameType {
        switch self {
        case .status: .status
        case .assignment: .assignment
        case .stepReport: .stepReport
        case .traceEvents: .traceEvents
        case .push: .push
        case .inquiry: .inquiry
        case .weightsRequest: .weightsRequest
        case .overviewRequest: .overviewRequest
        case .overview: .overview
        case .scaleRequest: .scaleRequest
        case .scaleReply: .scaleReply
        case .weights: .weights
        case .held: .held
        case .datasetRequest: .datasetRequest
        case .datasetPart: .datasetPart
        case .snapshotRequest: .snapshotRequest
        case .snapshotPart: .snapshotPart
        case .channelOffer: .channelOffer
        case .channelWake: .channelWake
        }
    }
}
