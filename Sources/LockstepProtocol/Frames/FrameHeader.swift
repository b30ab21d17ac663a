/// The fixed header of every frame: 64 bytes, little-endian, followed by the payload.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 4 | magic, the letters `LKST` |
/// | 4 | 2 | version of the protocol |
/// | 6 | 1 | type |
/// | 7 | 1 | encoding of the payload; 0 is the only one so far |
/// | 8 | 4 | session |
/// | 12 | 4 | incarnation of the sender, in an assignment that of its receiver |
/// | 16 | 4 | payload length in bytes |
/// | 20 | 28 | fields of the type, then zeros |
/// | 48 | 8 | checksum of the payload |
/// | 56 | 8 | checksum of the 56 bytes before |
///
/// The fields, at their offsets in the header:
///
/// | type | fields |
/// | --- | --- |
/// | status | 20: number (8) |
/// | assignment | the same, 28: clock (8) |
/// | overviewRequest, overview, scaleReply | none |
/// | scaleRequest | 20: workers (4) |
/// | traceEvents | 20: event count (4), 24: clock (8), 32: sent (8), 40: difference (8) |
/// | weights | 20: run (4), 24: generation (4), 28: step (8), 36: shard (4) |
/// | stepReport | the same, 40: elapsed nanoseconds (8) |
/// | push, inquiry, held | the same, 40: first leaf (4), 44: leaf count (4) |
/// | weightsRequest | the same, 40: wanted step (8) |
/// | datasetRequest, datasetPart | 20: offset (8), 28: byte count (4) |
/// | snapshotRequest, snapshotPart | as weights, 40: offset (4), 44: byte count (4) |
public struct FrameHeader: Hashable, Sendable {
    package static let byteCount = 64
    package static let magic: UInt32 = 0x5453_4b4c

    package var content: FrameContent
    public var session: SessionID
    public var incarnation: Incarnation
    package var payloadByteCount: Int
    package var payloadChecksum: UInt64

    package init(
        _ content: FrameContent, session: SessionID, incarnation: Incarnation,
        payloadByteCount: Int = 0, payloadChecksum: UInt64 = 0
    ) {
        self.content = content
        self.session = session
        self.incarnation = incarnation
        self.payloadByteCount = payloadByteCount
        self.payloadChecksum = payloadChecksum
    }

    package var type: FrameType { content.type }
}

/// The version of the frames and of what they mean: it changes when either does, and processes of
/// different versions never train together. 1 to 3 had other frame layouts, 4 a fixed membership, 5
/// no audits, 8 no traces.
package let protocolVersion: UInt16 = 10
