import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// Whole frames in messages, with their payloads.
@Suite struct WireTests {
    static let variants = KernelVariant.allCases.filter(\.isSupported)
    private static let baseline = Wire(kernels: KernelSet(.baseline))

    private static let address = StepAddress(run: 1, generation: 2, step: 41, shard: 1)
    private static let header = FrameHeader(
        .push(address, node: LeafRange(firstLeaf: 4, leafCount: 2)), session: 7, incarnation: 3)

    private static func payload(_ byteCount: Int) -> [UInt8] {
        var random = SeededRandom(seed: byteCount)
        return random.pixels(byteCount, density: 0.7)
    }

    /// Whole lines of floats and such ends as a checksum may treat apart.
    @Test(arguments: variants, [0, 4, 60, 64, 68, 1_000])
    func aSealedFrameIsReadAgain(variant: KernelVariant, byteCount: Int) throws {
        let wire = Wire(kernels: KernelSet(variant))
        let payload = Self.payload(byteCount)
        let message = unsafe wire.message(Self.header, copying: payload.span.bytes)
        let header = try wire.header(of: message)
        var expected = Self.header
        expected.payloadByteCount = byteCount
        expected.payloadChecksum = header.payloadChecksum
        #expect(header == expected)
        try wire.verify(message, header, byteCount: byteCount)
        #expect(
            Array(MemoryTransport.bytes(of: message).dropFirst(FrameHeader.byteCount)) == payload)
        #expect(throws: FrameError.self) {
            try wire.verify(message, header, byteCount: byteCount + 4)
        }
        // All variants agree: hosts with different CPUs train together.
        for other in Self.variants {
            try Wire(kernels: KernelSet(other)).verify(message, header)
        }
    }

    // MARK: Every type

    private static let part = BytePart(offset: 4, byteCount: 40)
    private static let status = Status(
        member: MemberDescription(
            role: .server, nonce: 5, host: "göttingen", processID: 77, threads: 2,
            dataEndpoint: "tcp://h:1", datasetSHA256: "ab"), reached: 6,
        phase: .serving(
            RunPlace(run: 1, generation: 0),
            ServerProgress(
                step: 4, activity: .updating,
                halt: .diverged(DivergenceFinding(quantity: .state, tensor: "layers.0.bias")))))
    private static let assignment = Assignment(
        .work(
            Session(
                dataset: DatasetDescription(
                    name: "mnist", sha256: "ab", byteCount: 9, trainingExampleCount: 2_000),
                runCount: 1, dataEndpoint: "tcp://h:2"),
            WorkDuty(
                order: RunOrder(run: 1, configuration: .everythingSet), view: 0, leaves: 0..<3,
                lastLeaves: 0..<1,
                servers: [ServerAddress(incarnation: 1, endpoint: "tcp://h:1")], workerCount: 2,
                workersOnHost: 2)))

    /// One frame of each type, with a payload where it may have one.
    static let contents: [FrameContent] = [
        .status(8), .assignment(9), .stepReport(address, elapsed: 3),
        .traceEvents(TraceBatch(eventCount: 6, clock: 1, sent: 2, difference: 3)),
        .push(address, node: LeafRange(firstLeaf: 4, leafCount: 2)),
        .inquiry(address, leaves: LeafRange(firstLeaf: 4, leafCount: 9)),
        .weightsRequest(address, wanted: 5), .weights(address),
        .held(address, leaves: LeafRange(firstLeaf: 4, leafCount: 9)), .datasetRequest(part),
        .datasetPart(part), .snapshotRequest(SnapshotPart(address: address, part: part)),
        .snapshotPart(SnapshotPart(address: address, part: part)), .overviewRequest, .overview,
        .scaleRequest(workers: 3), .scaleReply, .channelOffer, .channelWake,
    ]

    private static func frame(_ content: FrameContent, _ wire: Wire) -> [UInt8] {
        switch content {
        case .status:
            return MemoryTransport.bytes(
                of: wire.message(content, status, session: 7, incarnation: 3))
        case .assignment:
            return MemoryTransport.bytes(
                of: wire.message(content, assignment, session: 7, incarnation: 3))
        default:
            let byteCount = min(content.type.maximumPayloadByteCount, 204)
            let payload = payload(byteCount)
            return MemoryTransport.bytes(
                of: unsafe wire.message(
                    FrameHeader(content, session: 7, incarnation: 3),
                    copying: payload.span.bytes))
        }
    }

    /// Reads a frame as a role does: the header, then the payload by its type.
    private static func read(_ frame: [UInt8], _ wire: Wire) throws(FrameError) -> FrameContent {
        let message = Message(copying: frame)
        let header = try wire.header(of: message)
        switch header.content {
        case .status:
            let _: Status = try wire.statement(message, header)
        case .assignment:
            let _: Assignment = try wire.statement(message, header)
        default: try wire.verify(message, header)
        }
        return header.content
    }

    @Test(arguments: variants, contents)
    func everyFlippedBitOfEveryTypeIsSeen(variant: KernelVariant, content: FrameContent) throws {
        let wire = Wire(kernels: KernelSet(variant))
        let whole = Self.frame(content, wire)
        #expect(try Self.read(whole, wire) == content)
        for bit in 0..<whole.count * 8 {
            var frame = whole
            frame[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: FrameError.self, "bit \(bit)") { try Self.read(frame, wire) }
        }
    }

    @Test(arguments: contents)
    func everyTruncationOfEveryTypeIsSeen(content: FrameContent) throws {
        let whole = Self.frame(content, Self.baseline)
        for count in 0..<whole.count {
            #expect(throws: FrameError.self, "\(count) bytes") {
                try Self.read(Array(whole.prefix(count)), Self.baseline)
            }
        }
        #expect(throws: FrameError.self) { try Self.read(whole + [0], Self.baseline) }
    }

    @Test func everyTypeIsHere() {
        #expect(Set(Self.contents.map(\.type)) == Set(FrameType.allCases))
    }

    // MARK: Statements

    @Test func statementsAreReadAgain() throws {
        let wire = Self.baseline
        let message = wire.message(.status(8), Self.status, session: 9, incarnation: 4)
        let header = try wire.header(of: message)
        #expect(header.content == .status(8))
        #expect(header.session == 9 && header.incarnation == 4)
        let status: Status = try wire.statement(message, header)
        #expect(status == Self.status)
        // What is right by its checksum, and no such statement.
        #expect(throws: FrameError.payloadContent(.status)) {
            let _: Assignment = try wire.statement(message, header)
        }
    }

    /// A header that any version refuses, and learns the version from.
    @Test func aHeaderAloneIsNoStatement() throws {
        let message = Self.baseline.message(
            FrameHeader(.assignment(0), session: 9, incarnation: .none))
        let header = try Self.baseline.header(of: message)
        #expect(throws: FrameError.self) {
            let _: Assignment = try Self.baseline.statement(message, header)
        }
    }
}
