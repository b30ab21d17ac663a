import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Testing
import TrainingPlan
import ZeroMQ

/// A loop that several may refer to.
final class LoopBox<Engine: RoleEngine, Time: LockstepRuntime.Clock> {
    private var loop: RoleLoop<Engine, Time>
    private(set) var end: StopReason?

    init(_ loop: consuming RoleLoop<Engine, Time>) { self.loop = loop }

    var machine: Engine.Machine { loop.machine }

    func start() throws { try loop.start() }
    func turn() throws { end = try loop.turn() }

    func interrupt(_ reason: StopReason) throws {
        try loop.interrupt(reason)
        end = loop.machine.end
    }
}

/// What every role's loop does with what comes, whatever its machine decides.
@Suite struct RoleLoopTests {
    /// Notes what it is told, and has done what frames say: see ``FakeEngine``.
    private struct FakeMachine: RoleMachine {
        var told: [String] = []
        var ticks: [Instant] = []
        var end: StopReason?
        var drops = DropLog()

        mutating func start(now: Instant, into actions: inout [String]) { actions.append("start") }

        mutating func tick(now: Instant, into actions: inout [String]) { ticks.append(now) }

        mutating func receive(
            _ message: String, from peer: PeerHandle?, session: SessionID,
            incarnation: Incarnation, now: Instant, into actions: inout [String]
        ) {
            told.append("\(message) from \(peer.map { "\($0)" } ?? "-")")
            if message == "end" { end = StopReason(.success, "") }
            actions.append(message)
        }

        mutating func malformed(
            _ error: FrameError, from peer: PeerHandle?, now: Instant,
            into actions: inout [String]
        ) { _ = drops.add(error, from: peer) }

        mutating func handle(_ event: Int, now: Instant, into actions: inout [String]) {
            told.append("event \(event)")
            actions.append("after \(event)")
        }

        mutating func interrupt(
            _ reason: StopReason, now: Instant, into actions: inout [String]
        ) { end = reason }
    }

    /// A frame's text is what its machine has done: `event` makes two events, `keep` takes the
    /// frame.
    private final class FakeEngine: RoleEngine {
        typealias Machine = FakeMachine

        var done: [String] = []
        var kept: [String] = []
        var events: [Int] = []
        var pieces = 0
        var isBusy: Bool { pieces > 0 }

        func work() {
            pieces -= 1
            done.append("work")
        }

        func nextEvent() -> Int? { events.isEmpty ? nil : events.removeFirst() }

        func decode(
            _ message: borrowing Message, from port: Port, for machine: FakeMachine
        ) throws(FrameError) -> (String, FrameHeader) {
            if message.byteCount == 0 { throw .truncated(byteCount: 0) }
            let text = String(decoding: MemoryTransport.bytes(of: message), as: UTF8.self)
            return (text, FrameHeader(.status(1), session: 1, incarnation: 1))
        }

        func perform(
            _ action: String, for machine: FakeMachine, _ inHand: inout Message,
            over network: any Transport
        ) throws {
            done.append(action)
            switch action {
            case "event": events += [1, 2]
            case "keep":
                var taken = Message()
                swap(&taken, &inHand)
                kept.append(String(decoding: MemoryTransport.bytes(of: taken), as: UTF8.self))
            case "fail": throw RoleError(.cannotWrite, "the disk is full")
            default: break
            }
        }
    }

    private let network = MemoryTransport()
    private let clock = HandClock()
    private let engine = FakeEngine()
    private let loop: LoopBox<FakeEngine, HandClock>

    init() throws {
        loop = LoopBox(RoleLoop(FakeMachine(), engine, network, clock: clock))
        try loop.start()
    }

    private func put(_ text: String, from port: Port = .dataPeer(7)) {
        network.put(Array(text.utf8), from: port)
    }

    @Test func whatComesIsToldInOrderAndDoneAtOnce() throws {
        put("a")
        put("b", from: .coordinator)
        put("c", from: .controlPeer(8))
        put("d", from: .shard(1))
        try loop.turn()
        #expect(loop.machine.told == ["a from 7", "b from -", "c from 8", "d from -"])
        #expect(engine.done == ["start", "a", "b", "c", "d"])
        try loop.turn()
        #expect(engine.done.count == 5)
    }

    /// What an action leads to comes before the next message.
    @Test func whatFollowsFromAnActionIsDoneBeforeTheNextMessage() throws {
        put("event")
        put("b")
        try loop.turn()
        #expect(loop.machine.told == ["event from 7", "event 1", "event 2", "b from 7"])
        #expect(engine.done == ["start", "event", "after 1", "after 2", "b"])
        // What the engine has done in the meantime.
        engine.events = [3]
        try loop.turn()
        #expect(engine.done.last == "after 3")
    }

    @Test func theMessageInHandIsTakenWhereTheActionSaysSo() throws {
        put("a")
        put("keep")
        put("b")
        put("keep")
        try loop.turn()
        #expect(engine.kept == ["keep", "keep"])
    }

    @Test func nothingIsHeardAfterTheEnd() throws {
        put("end")
        put("a")
        try loop.turn()
        #expect(loop.end == StopReason(.success, ""))
        #expect(loop.machine.told == ["end from 7"])
        let reason = StopReason(.interrupted, "Ctrl-C")
        try loop.interrupt(reason)
        #expect(loop.end == reason)
    }

    @Test func whatCannotBeDoneEndsTheLoop() throws {
        put("fail")
        #expect(throws: RoleError.self) { try loop.turn() }
    }

    // MARK: Time

    @Test func ticksComeAtTheirInterval() throws {
        let start = clock.now
        for _ in 0..<1_000 {
            clock.advance(milliseconds: 1)
            try loop.turn()
        }
        let expected = stride(from: 20, through: 1_000, by: 20).map {
            start.advanced(byMilliseconds: $0)
        }
        #expect(loop.machine.ticks == expected)
    }

    /// Whoever sends without end, and however fast: time continues, and so does the work.
    @Test(arguments: [0, 1, 5])
    func aFloodDoesNotKeepTheTickFromComing(millisecondsPerMessage: Int) throws {
        let clock = clock
        network.flood = {
            clock.advance(milliseconds: millisecondsPerMessage)
            return (.frame(.dataPeer(7)), Array("x".utf8))
        }
        engine.pieces = 50
        for turn in 1...50 {
            let before = network.receivedCount
            clock.advance(milliseconds: 20)
            try loop.turn()
            #expect(loop.machine.ticks.count == turn)
            #expect((1...256).contains(network.receivedCount - before))
            #expect(engine.done.filter { $0 == "work" }.count == turn)
        }
    }

    /// A lid that was closed: the machine does not live through that time.
    @Test func timeStandsStillWhileTheProcessIsSuspended() throws {
        clock.advance(milliseconds: 20)
        try loop.turn()
        clock.advance(milliseconds: 60_000)
        try loop.turn()
        clock.advance(milliseconds: 999)
        try loop.turn()
        let ticks = loop.machine.ticks
        let distances = zip(ticks, ticks.dropFirst()).map { $1.milliseconds(since: $0) }
        #expect(distances.reduce(0, +) == 999)
    }

    // MARK: Junk

    @Test func junkIsCountedAndTheRestGoesOn() throws {
        network.putJunk(from: 3)
        put("")
        network.putJunk(from: nil)
        put("a")
        try loop.turn()
        #expect(loop.machine.told == ["a from 7"])
        #expect(loop.machine.drops.counts[.foreign] == 3)
    }
}

/// A server's role under a flood, with its own machine and engine.
@Suite struct ServerRoleLoopTests {
    /// Heartbeats continue while strangers send what they like.
    @Test func aFloodOfJunkDoesNotSilenceAServer() throws {
        let network = MemoryTransport()
        let clock = HandClock()
        let wire = Wire(kernels: Exchange.kernels)
        var notices: [String] = []
        let machine = ServerMachine(
            link: MemberLink(
                member: MemberDescription(
                    role: .server, nonce: 1, host: "h", processID: 1, dataEndpoint: "tcp://h:1"),
                coordinatorAddress: "tcp://head:1", waitTimeoutMilliseconds: 20_000))
        let engine = ServerEngine(wire: wire, wakeUp: try WakeUp()) {
            notices.append($0)
        }
        let loop = LoopBox(RoleLoop(machine, engine, network, clock: clock))
        try loop.start()
        let session = Session(
            dataset: DatasetDescription(
                name: "d", sha256: "", byteCount: 0, trainingExampleCount: 10), runCount: 1,
            dataEndpoint: "")
        network.put(
            MemoryTransport.bytes(
                of: wire.message(
                    .assignment(1), Assignment(.wait(session)), session: 1, incarnation: 5)),
            from: .coordinator)
        // Of another version, of another port, and no frames at all.
        let foreign: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), Array("LKST".utf8) + [1, 0, 0, 0],
            MemoryTransport.bytes(
                of: wire.message(
                    FrameHeader(
                        .weights(StepAddress(run: 0, generation: 0, step: 0, shard: 0)),
                        session: 1, incarnation: 1))),
        ]
        var count = 0
        network.flood = {
            count += 1
            if count % 50 == 0 { clock.advance(milliseconds: 1) }
            return (.frame(.dataPeer(PeerHandle(90))), foreign[count % 3])
        }
        for _ in 0..<2_000 { try loop.turn() }
        let statuses = try network.takeSent().filter { $0.port == .coordinator }.map {
            try wire.header(of: Message(copying: $0.bytes)).content
        }
        // Some five seconds, most of them without an answer.
        #expect(statuses.count > 40)
        #expect(statuses == (1...statuses.count).map { .status(StatementNumber($0)) })
        #expect(loop.end == nil)
        let drops = loop.machine.drops.counts
        #expect(drops[.foreign] + drops[.otherVersion] + drops[.wrongType] == count)
        #expect(drops[.wrongType] >= count / 3)
        #expect(notices.count == 1, "one connection, one line")
    }
}
