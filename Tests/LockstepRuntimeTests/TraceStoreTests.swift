import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Synchronization
import TestSupport
import Testing
import TrainingPlan

/// What the coordinator keeps of a timeline, and the file that it makes of it.
@Suite struct TraceStoreTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static func member(_ role: Role, _ incarnation: Incarnation, process: Int32)
        -> MemberName
    {
        MemberName(role: role, incarnation: incarnation, host: "far \"away\"", processID: process)
    }

    /// A second of the store's clock.
    private static let second: UInt64 = 1_000_000_000

    private func document(_ store: TraceStore) throws -> TraceDocument {
        let path = folder.path("trace.json")
        let request = SessionRequest(
            runs: [], dataset: SmallDigits.dataset, placement: SessionPlacement(workers: 2),
            kernels: .baseline, waitTimeoutMilliseconds: 1_000)
        try TraceFile.write(store, of: request, to: path)
        return try TraceDocument(path)
    }

    /// Two hosts whose clocks have nothing to do with each other, and the same process number.
    @Test func foreignClocksAreBroughtToTheCoordinators() throws {
        let store = TraceStore { _ in }
        for (member, clock, ahead) in [
            (Self.member(.worker, 1, process: 7), 5, 1_000 * Self.second),
            (Self.member(.worker, 2, process: 7), 0, 0 &- 3 * Self.second),
            (Self.member(.server, 3, process: 8), 6, 0 &- 77 * Self.second),
        ] as [(MemberName, UInt64, UInt64)] {
            let name = MemberName(
                role: member.role, incarnation: member.incarnation,
                host: "\(member.host) \(member.incarnation)", processID: member.processID)
            // One millisecond on the way, there and back.
            let sent = store.start &+ Self.second &+ ahead
            let event = TraceEvent(
                member.role == .worker ? .compute : .update, 0, 12,
                shard: member.role == .worker ? nil : 1,
                from: sent &- 500_000, to: sent &- 100_000)
            store.keep(
                event.bytes,
                TraceBatch(
                    eventCount: 1, clock: clock, sent: sent,
                    difference: Int64(bitPattern: ahead &+ 1_000_000)),
                of: name, received: store.start + Self.second + 1_000_000)
        }
        let trace = try document(store)
        #expect(trace.spans.count == 3)
        for span in trace.spans {
            #expect(abs(span.start - 999_500) < 0.01 && abs(span.end - 999_900) < 0.01, "\(span)")
            #expect(span.step == 12 && span.args.run == 1)
        }
        #expect(Set(trace.tracks.keys) == ["worker 1", "worker 2", "server of shard 1"])
        #expect(
            Set(trace.processNames.values).isSuperset(of: [
                "worker 1 (host far \"away\" 1)", "worker 2 (host far \"away\" 2)",
                "server of shard 1 (host far \"away\" 3)",
            ]))
        #expect(trace.processNames.count == 4)
    }

    /// Nothing that a member may send stops the session, or spoils the file.
    @Test func nonsenseDoesNoHarm() throws {
        let store = TraceStore { _ in }
        var random = SeededRandom(seed: 3)
        for index in 0..<300 {
            let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
            var known = bytes
            known[30] = UInt8(index % 10)
            store.keep(
                known,
                TraceBatch(
                    eventCount: 2, clock: UInt64.random(in: 0...3, using: &random),
                    sent: UInt64.random(in: 0 ... .max, using: &random),
                    difference: Int64.random(in: .min ... .max, using: &random)),
                of: Self.member(index % 2 == 0 ? .worker : .server, 1, process: 4),
                received: store.start)
        }
        #expect(try document(store).spans.count > 100)
    }

    @Test func memoryIsBoundedAndThatIsToldOnce() throws {
        let told = Told()
        let store = TraceStore(maximumEventCount: 5) { told.note($0) }
        for index in 0..<4 {
            let events = TraceEvent(.compute, 0, UInt64(index), from: store.start, to: store.start)
                .bytes
            store.keep(
                events + events, TraceBatch(eventCount: 2, clock: 9, sent: store.start),
                of: Self.member(.worker, 1, process: 4), received: store.start)
        }
        #expect(try document(store).spans.count == 4)
        #expect(told.texts.count == 1 && told.texts.first?.contains("5 spans") == true)
    }

    private final class Told: Sendable {
        private let lines = Mutex<[String]>([])
        var texts: [String] { lines.withLock(\.self) }
        func note(_ text: String) { lines.withLock { $0.append(text) } }
    }
}

extension TraceEvent {
    fileprivate var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        unsafe bytes.withUnsafeMutableBytes { unsafe store(in: $0, at: 0) }
        return bytes
    }
}
