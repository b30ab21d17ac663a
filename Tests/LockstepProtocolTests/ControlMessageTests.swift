import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

@Suite struct ControlMessageTests {
    static let messages: [ControlMessage] = [
        .hello(
            Hello(
                role: .server, host: "göttingen", processID: 7, nonce: .max, threads: 2,
                dataEndpoint: "tcp://10.0.0.1:29501", datasetSHA256: "ab")),
        .welcome(
            Welcome(
                session: .init(rawValue: .max), incarnation: 4,
                dataset: DatasetDescription(
                    name: "mnist", sha256: "ab", byteCount: 1 << 40, trainingExampleCount: 60_000),
                currentRun: 1, runCount: 3)),
        .refused(StopReason(.mismatch, "no")),
        .workerReady,
        .prepareRun(
            PrepareRun(
                run: 2, configuration: .everythingSet, shard: 1, shardCount: 2,
                workers: [
                    MemberName(role: .worker, incarnation: 3, host: "a", processID: 1)
                ])),
        .runPrepared(2),
        .startRun(
            StartRun(
                run: 2, configuration: .everythingSet,
                view: View(number: 0, workers: [3, 4]),
                servers: [ServerAddress(incarnation: 1, endpoint: "tcp://h:1")])),
        .viewAcknowledged(2, 0),
        .snapshotRequest(2, Step(rawValue: 1 << 60)),
        .diverged(
            Diverged(
                run: 0, step: 9, shard: 1,
                finding: .init(quantity: .gradient, tensor: "layer 1 kernel"))),
        .heartbeat(Heartbeat(.computing, run: 0, step: 3)),
        .endRun(1),
        .sessionEnded(SessionEnded(status: .completed, reason: StopReason(.success, "done"))),
        .goodbye(StopReason(.success, "")),
        .failed(StopReason(.internalError, "other bits")),
    ]

    @Test(arguments: messages)
    func comesBack(_ message: ControlMessage) throws {
        let frame = try message.frame(session: 5, incarnation: 6)
        let (header, decoded) = try decode(frame)
        #expect(decoded == message)
        #expect(header.session == 5 && header.incarnation == 6)
    }

    @Test func everyJSONTypeIsHere() {
        #expect(
            Set(Self.messages.map(\.type.rawValue))
                == Set(MessageType.allCases.map(\.rawValue).filter { $0 >= 32 }))
    }

    @Test(arguments: messages)
    func damagedPayloadIsRefused(_ message: ControlMessage) throws {
        var frame = try message.frame(session: 5, incarnation: 6)
        frame[frame.count - 1] ^= 1
        #expect(throws: FrameError.self) { try decode(frame) }
    }

    @Test func otherContentIsRefused() throws {
        let heartbeat = try ControlMessage.heartbeat(Heartbeat(.running)).frame(
            session: 0, incarnation: 0)
        let payload = Array(heartbeat[64...])
        var header = FrameHeader(type: .hello, payloadByteCount: UInt64(payload.count))
        header.payloadChecksum = unsafe payload.withUnsafeBytes { unsafe FrameCodec.checksum($0) }
        var frame = heartbeat
        unsafe frame.withUnsafeMutableBytes { unsafe FrameCodec.encode(header, into: $0) }
        #expect(throws: FrameError.payloadContent(.hello)) { try decode(frame) }
    }

    @Test func rawTypesHaveNoControlMessage() throws {
        var frame = [UInt8](repeating: 0, count: 64)
        unsafe frame.withUnsafeMutableBytes {
            unsafe FrameCodec.encode(FrameHeader(type: .attach), into: $0)
        }
        #expect(try decode(frame).1 == nil)
    }

    private func decode(_ frame: [UInt8]) throws -> (FrameHeader, ControlMessage?) {
        try unsafe frame.withUnsafeBytes { bytes in
            let header = try unsafe FrameCodec.decodeHeader(of: bytes)
            return (header, try unsafe ControlMessage(frame: bytes, header: header))
        }
    }
}
