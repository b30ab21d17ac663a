/// What a frame carries. The number is on the wire: it is never used again for something else.
package enum MessageType: UInt8, CaseIterable, Sendable {
    // Data plane: header and raw little-endian floats.
    /// Worker → server, first on a data connection: who comes, and the step of its weights.
    case attach = 1
    /// Worker → server: a node's sum, the server's slice of it; for shard 0 its metrics behind.
    case push = 2
    /// Server → worker: the shard's weights of `step`.
    case weights = 3
    /// Worker → server: asks for the newest weights; `step` is that of the worker's own.
    case weightsRequest = 4

    // Control plane with raw payloads.
    /// Worker → coordinator: header only; see ``FrameHeader/datasetRequest(_:session:incarnation:)``.
    case datasetRequest = 16
    /// Coordinator → worker: raw bytes of the data set.
    case datasetChunk = 17
    /// Server → coordinator after every step: the step's metrics from shard 0, nothing from others.
    case stepCommitted = 18
    /// Server → coordinator: the shard's weights of `step`.
    case snapshot = 19

    // Control plane with JSON payloads: see ``ControlMessage``.
    case hello = 32
    case welcome = 33
    case refused = 34
    case workerReady = 35
    case prepareRun = 36
    case runPrepared = 37
    case startRun = 38
    case viewAcknowledged = 39
    case snapshotRequest = 40
    case diverged = 41
    case heartbeat = 42
    case endRun = 43
    case sessionEnded = 44
    case goodbye = 45
    case failed = 46

    /// The longest payload that any configuration allows, in bytes. Where a configuration is known
    /// the exact length follows from it (``ShardPlan``) and is checked by whoever reads the payload.
    package var maximumPayloadByteCount: Int {
        switch self {
        case .attach, .weightsRequest, .datasetRequest: 0
        case .push, .weights, .snapshot, .stepCommitted: Limits.maximumDataPayloadByteCount
        case .datasetChunk: Limits.datasetChunkByteCount
        case .hello, .welcome, .refused, .workerReady, .prepareRun, .runPrepared, .startRun,
            .viewAcknowledged, .snapshotRequest, .diverged, .heartbeat, .endRun, .sessionEnded,
            .goodbye, .failed:
            Limits.maximumControlPayloadByteCount
        }
    }
}
