import LockstepProtocol
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// Frames as members and strangers send them.
enum Frames {
    static let kernels = KernelSet(.baseline)

    /// - Parameter isStatement: statements have a checksum of their own.
    static func frame(
        _ content: FrameContent, payload: [UInt8] = [], session: SessionID = .none,
        incarnation: Incarnation = .none, isStatement: Bool = false
    ) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
        let checksum = unsafe payload.withUnsafeBytes {
            unsafe isStatement ? FrameCodec.checksum($0) : kernels.checksum(of: $0)
        }
        let header = FrameHeader(
            content, session: session, incarnation: incarnation,
            payloadByteCount: payload.count, payloadChecksum: checksum)
        unsafe frame.withUnsafeMutableBytes { unsafe FrameCodec.encode(header, into: $0) }
        return frame
    }

    static func status(
        _ number: StatementNumber, _ status: Status, session: SessionID = .none,
        incarnation: Incarnation = .none
    ) -> [UInt8] {
        frame(
            .status(number), payload: status.encoded(), session: session, incarnation: incarnation,
            isStatement: true)
    }

    /// What a worker that nobody knows says first.
    static func joining(
        nonce: UInt64, reached: StatementNumber = 0, phase: MemberPhase = .joining(datasetBytes: 0),
        arithmeticVersion: Int = TrainingPlan.arithmeticVersion
    ) -> Status {
        Status(
            member: MemberDescription(
                role: .worker, nonce: nonce, host: "elsewhere", processID: 4711,
                arithmeticVersion: arithmeticVersion), reached: reached, phase: phase)
    }

    /// The same frame as another version would have it: nothing but magic and version is sure of
    /// it.
    static func ofVersion(_ version: UInt16, _ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        frame[4] = UInt8(truncatingIfNeeded: version)
        frame[5] = UInt8(truncatingIfNeeded: version >> 8)
        return frame
    }

    /// A frame of version 1, as that one's workers greeted: magic and version, then fields that
    /// have moved since.
    static let ofFirstVersion =
        ofVersion(1, [0x4c, 0x4b, 0x53, 0x54] + [UInt8](repeating: 0, count: 60))
        + Array(#"{"hello":{"role":"worker"}}"#.utf8)
}

/// A DEALER that speaks to a port of ours whatever it likes.
final class DealerPeer {
    private let context: Context
    private let socket: Socket

    init(_ endpoint: String) throws {
        context = try Context()
        socket = try Socket(.dealer, in: context)
        try socket.connect(to: Endpoint(endpoint))
    }

    func send(_ bytes: [UInt8]) throws {
        let isSent = try eventually { try socket.send(Message(copying: bytes)).isSent }
        try #require(isSent)
    }

    /// The next message of one frame, as it came.
    func next(within seconds: Double = patienceSeconds) throws -> [UInt8] {
        var message = Message()
        let came = try eventually(within: seconds) {
            try socket.receive(into: &message) == .message
        }
        try #require(came, "no answer")
        return unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    func nextAssignment() throws -> (Assignment, FrameHeader) {
        let frame = try next()
        return try unsafe frame.withUnsafeBytes { bytes in
            let header = try unsafe FrameCodec.decodeHeader(of: bytes)
            let assignment = unsafe Assignment(decoding: FrameCodec.payload(of: bytes))
            return (try #require(assignment, "the answer is not an assignment"), header)
        }
    }
}
