import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// The shape of an exchange: what every worker sends and gets in a step.
struct ExchangeShape: Hashable, Sendable {
    var workers: Int
    var servers: Int
    var floats: Int
    var steps: Int

    /// The part of each server, the first ones a float longer where it does not come out even.
    func floatCount(ofServer server: Int) -> Int {
        floats / servers + (server < floats % servers ? 1 : 0)
    }
}

/// Lockstep's sockets and frames and nothing else: one process a server and a worker, over TCP.
///
/// Does what `zmq_floor.c` does, with what Lockstep adds to it: headers, checksums that are made
/// and verified, and waits that end.
struct Exchange {
    let folder: TemporaryFolder

    /// - Returns: microseconds a step, as the first worker has them.
    func measure(_ shape: ExchangeShape) throws -> Double {
        var servers: [Child] = []
        var endpoints: [String] = []
        for server in 0..<shape.servers {
            let child = try Child(
                [
                    Tools.own, "exchange-server", "--workers", "\(shape.workers)", "--floats",
                    "\(shape.floatCount(ofServer: server))", "--steps", "\(shape.steps)",
                ], folder: folder)
            servers.append(child)
            endpoints.append(try child.readLine(seconds: 20))
        }
        let counts = (0..<shape.servers).map { "\(shape.floatCount(ofServer: $0))" }
        let workers = try (0..<shape.workers).map { _ in
            try Child(
                [
                    Tools.own, "exchange-worker", "--endpoints", endpoints.joined(separator: ","),
                    "--floats", counts.joined(separator: ","), "--steps", "\(shape.steps)",
                ], folder: folder)
        }
        let texts = try workers.map { try $0.waitForOutput(seconds: 120) }
        for server in servers { _ = try server.waitForOutput(seconds: 20) }
        guard let text = texts.first?.split(separator: "\n").last, let time = Double(text) else {
            throw BenchError(.internalError, "a worker of the exchange printed no time")
        }
        return time
    }
}

/// A frame in memory of its own, sent where it lies.
@safe final class BenchFrame: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(floatCount: Int) {
        let byteCount = FrameHeader.byteCount + floatCount * 4
        unsafe bytes = .allocate(byteCount: byteCount, alignment: 64)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe bytes.deallocate() }

    var payload: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
    }

    static func address(_ step: Int) -> StepAddress {
        StepAddress(run: 0, generation: 0, step: Step(step), shard: 0)
    }

    /// Writes the header, with length and checksum of the payload.
    func seal(_ content: FrameContent, _ kernels: KernelSet) {
        var header = FrameHeader(content, session: 1, incarnation: 1)
        let payload = unsafe UnsafeRawBufferPointer(self.payload)
        header.payloadByteCount = payload.count
        unsafe header.payloadChecksum = kernels.checksum(of: payload)
        unsafe FrameCodec.encode(header, into: bytes)
    }

    func message(_ handler: ReleaseHandler) -> Message {
        unsafe Message(borrowing: bytes, whenReleased: handler)
    }
}

extension KernelSet {
    func verify(_ message: borrowing Message) throws(FrameError) {
        try unsafe message.withUnsafeBytes { (frame) throws(FrameError) in
            try unsafe verify(frame)
        }
    }

    /// Checks a frame as every role does before it is used.
    func verify(_ frame: UnsafeRawBufferPointer) throws(FrameError) {
        let header = try unsafe FrameCodec.decodeHeader(of: frame)
        try unsafe FrameCodec.verifyPayload(of: frame, header: header) { payload in
            unsafe checksum(of: payload)
        }
    }
}

extension Socket {
    /// The options of Lockstep's data sockets.
    func configureForExchange(floatCount: Int) throws(ZMQError) {
        try set(.maximumMessageByteCount, to: FrameHeader.byteCount + floatCount * 4)
        try set(.sendHighWaterMark, to: 512)
        try set(.handshakeMilliseconds, to: 2_000)
        if kind == .router { try set(.routerMandatory, to: true) }
    }
}
