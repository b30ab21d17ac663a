import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// The shape of an exchange: what every worker sends and gets in a step.
struct ExchangeShape: Hashable, Sendable {
    var workers: Int
    var servers: ExchangePlacement
    var floats: Int
    var steps: Int
    var transport = ExchangeTransport.ipc

    /// The part of each server, the first ones a float longer where it does not come out even.
    var floatCounts: [Int] {
        let servers = servers.count(workers: workers)
        return (0..<servers).map { floats / servers + ($0 < floats % servers ? 1 : 0) }
    }

    var words: String {
        "\(workers) workers, \(servers.words), \(floats) floats"
    }
}

/// Lockstep's sockets and frames and nothing else, between processes of this host.
///
/// Does what the bare programs do, with what Lockstep adds to it: headers, checksums that are made
/// and verified, and waits that end.
struct Exchange {
    let folder: TemporaryFolder

    /// - Returns: microseconds a step, as the first worker has them.
    func measure(_ shape: ExchangeShape) throws -> Double {
        switch shape.servers {
        case .apart: try measureApart(shape)
        case .colocated: try measureColocated(shape)
        }
    }

    private func endpoint(_ shape: ExchangeShape) -> String {
        switch shape.transport {
        case .tcp: "tcp://127.0.0.1:*"
        case .ipc: "ipc://\(folder.freshPath("exchange"))"
        }
    }

    private func measureApart(_ shape: ExchangeShape) throws -> Double {
        var servers: [Child] = []
        var endpoints: [String] = []
        for count in shape.floatCounts {
            let child = try Child(
                [
                    Tools.own, "exchange-server", "--bind", endpoint(shape), "--workers",
                    "\(shape.workers)", "--floats", "\(count)", "--steps", "\(shape.steps)",
                ], folder: folder)
            servers.append(child)
            endpoints.append(try child.readLine(seconds: 20))
        }
        let counts = shape.floatCounts.map(String.init).joined(separator: ",")
        let workers = try (0..<shape.workers).map { _ in
            try Child(
                [
                    Tools.own, "exchange-worker", "--endpoints", endpoints.joined(separator: ","),
                    "--floats", counts, "--steps", "\(shape.steps)",
                ], folder: folder)
        }
        let time = try Self.time(workers)
        for server in servers { _ = try server.waitForOutput(seconds: 20) }
        return time
    }

    private func measureColocated(_ shape: ExchangeShape) throws -> Double {
        let counts = shape.floatCounts.map(String.init).joined(separator: ",")
        let members = try (0..<shape.workers).map { index in
            try Child(
                [
                    Tools.own, "exchange-member", "--bind", endpoint(shape), "--member",
                    "\(index)", "--floats", counts, "--steps", "\(shape.steps)",
                ], folder: folder)
        }
        let endpoints = try members.map { try $0.readLine(seconds: 20) }
        for member in members { try member.write(line: endpoints.joined(separator: ",")) }
        return try Self.time(members)
    }

    /// Waits for all, and takes what the first has measured.
    private static func time(_ workers: [Child]) throws -> Double {
        let texts = try workers.map { try $0.waitForOutput(seconds: 120) }
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
