package import TrainingPlan

/// The fixed header of every frame: 64 bytes, little-endian, followed by the payload.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 4 | magic, the letters `LKST` |
/// | 4 | 2 | version of this layout |
/// | 6 | 1 | message type |
/// | 7 | 1 | zero |
/// | 8 | 4 | run |
/// | 12 | 4 | incarnation of the sender |
/// | 16 | 8 | step |
/// | 24 | 4 | first leaf |
/// | 28 | 4 | leaf count |
/// | 32 | 4 | shard |
/// | 36 | 4 | session |
/// | 40 | 8 | payload length in bytes |
/// | 48 | 8 | checksum of the payload |
/// | 56 | 8 | checksum of the 56 bytes before |
package struct FrameHeader: Hashable, Sendable {
    package static let byteCount = 64
    package static let magic: UInt32 = 0x5453_4b4c
    /// Changes only with the layout of this header; the meaning of messages has
    /// ``protocolVersion``.
    package static let version: UInt16 = 1

    package var type: MessageType
    package var session: SessionID
    package var run: RunIndex
    package var incarnation: Incarnation
    package var step: Step
    package var firstLeaf: UInt32
    package var leafCount: UInt32
    package var shard: ShardIndex
    package var payloadByteCount: UInt64
    package var payloadChecksum: UInt64

    package init(
        type: MessageType, session: SessionID = .none, run: RunIndex = 0,
        incarnation: Incarnation = .none, step: Step = 0, firstLeaf: UInt32 = 0,
        leafCount: UInt32 = 0, shard: ShardIndex = 0, payloadByteCount: UInt64 = 0,
        payloadChecksum: UInt64 = 0
    ) {
        self.type = type
        self.session = session
        self.run = run
        self.incarnation = incarnation
        self.step = step
        self.firstLeaf = firstLeaf
        self.leafCount = leafCount
        self.shard = shard
        self.payloadByteCount = payloadByteCount
        self.payloadChecksum = payloadChecksum
    }

    /// The node of a push.
    package var node: LeafRange {
        get { LeafRange(firstLeaf: Int(firstLeaf), leafCount: Int(leafCount)) }
        set {
            firstLeaf = UInt32(newValue.firstLeaf)
            leafCount = UInt32(newValue.leafCount)
        }
    }

    /// The header of a request for a part of the data set: the offset stands in the step's place,
    /// the length in the leaf count's.
    package static func datasetRequest(
        _ chunk: DatasetChunk, session: SessionID, incarnation: Incarnation
    ) -> FrameHeader {
        FrameHeader(
            type: .datasetRequest, session: session, incarnation: incarnation,
            step: Step(rawValue: chunk.offset), leafCount: chunk.byteCount)
    }

    /// The part of the data set that a `datasetRequest` asks for or a `datasetChunk` brings.
    package var datasetChunk: DatasetChunk {
        DatasetChunk(offset: step.rawValue, byteCount: leafCount)
    }
}

/// A part of the data set's four files laid end to end, in bytes.
package struct DatasetChunk: Hashable, Sendable {
    package var offset: UInt64
    package var byteCount: UInt32

    package init(offset: UInt64, byteCount: UInt32) {
        self.offset = offset
        self.byteCount = byteCount
    }
}
