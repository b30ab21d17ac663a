import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

@Suite struct PartDownloadTests {
    private static let length = UInt64(Limits.partByteCount)

    private static func advance(_ download: inout PartDownload, _ now: Instant)
        -> [PartDownload.Step]
    {
        var steps: [PartDownload.Step] = []
        download.advance(now: now, into: &steps)
        return steps
    }

    private static func requests(_ steps: [PartDownload.Step]) -> [BytePart] {
        steps.compactMap { if case .request(let part) = $0 { part } else { nil } }
    }

    /// Every byte once, whatever the length.
    @Test(arguments: [0, 1, length - 1, length, length + 1, 9 * length, 9 * length + 5])
    func partsTileTheWhole(byteCount: UInt64) {
        var download = PartDownload(byteCount: byteCount, now: 0)
        var waiting = Self.requests(Self.advance(&download, 0))
        var end: UInt64 = 0
        while !waiting.isEmpty {
            #expect(waiting.count <= Limits.partsInFlight)
            let part = waiting.removeFirst()
            #expect(part.offset == end)
            end += UInt64(part.byteCount)
            #expect(download.receive(part, now: 1) == true)
            #expect(download.receive(part, now: 1) == false)
            waiting += Self.requests(Self.advance(&download, 1))
        }
        #expect(end == byteCount && download.isComplete)
        #expect(download.receivedByteCount == byteCount)
        #expect(Self.advance(&download, 1_000_000).isEmpty)
    }

    /// Any parts may be lost any number of times, in both directions, and come in any order.
    @Test(arguments: 1...20)
    func lossDelaysAndChangesNothing(seed: Int) {
        var random = SeededRandom(seed: seed)
        var download = PartDownload(byteCount: 40 * Self.length + 7, now: 0)
        var now: Instant = 0
        var onTheWay: [BytePart] = []
        var received = Set<BytePart>()
        while !download.isComplete {
            now = now.advanced(byMilliseconds: 20)
            for step in Self.advance(&download, now) {
                switch step {
                case .request(let part):
                    if Int.random(in: 0..<3, using: &random) > 0 { onTheWay.append(part) }
                case .reconnect: onTheWay.removeAll()
                case .fail:
                    Issue.record("given up, though parts came")
                    return
                }
            }
            if Bool.random(using: &random), !onTheWay.isEmpty {
                let part = onTheWay.remove(at: Int.random(in: onTheWay.indices, using: &random))
                #expect(download.receive(part, now: now) == received.insert(part).inserted)
            }
            guard now < 3_600_000 else {
                Issue.record("it hangs")
                return
            }
        }
        #expect(received.reduce(0) { $0 + UInt64($1.byteCount) } == 40 * Self.length + 7)
    }

    /// The time until a part is asked for again follows from the times that parts take.
    @Test func retriesFollowTheTimesSeen() {
        func firstRetry(partMilliseconds: Int) -> Int? {
            var download = PartDownload(byteCount: 1_000 * Self.length, now: 0)
            var now: Instant = 0
            var waiting = Self.requests(Self.advance(&download, now))
            for _ in 0..<200 {
                now = now.advanced(byMilliseconds: partMilliseconds)
                let all = waiting
                waiting = []
                for part in all { #expect(download.receive(part, now: now) == true) }
                waiting = Self.requests(Self.advance(&download, now))
            }
            for millisecond in 1...60_000 {
                let later = now.advanced(byMilliseconds: millisecond)
                let again = Self.requests(Self.advance(&download, later))
                if !again.isEmpty { return millisecond }
            }
            return nil
        }
        #expect(firstRetry(partMilliseconds: 2) == Limits.shortestPartRetryMilliseconds)
        let slow = firstRetry(partMilliseconds: 1_500)
        #expect(slow.map { 1_500...1_700 ~= $0 } == true, "\(String(describing: slow))")
    }

    @Test func whatNothingComesOfFails() {
        var download = PartDownload(byteCount: Self.length, now: 0)
        var reconnects: [UInt64] = []
        var now: Instant = 0
        while true {
            let steps = Self.advance(&download, now)
            if steps.contains(.reconnect) { reconnects.append(now.rawValue) }
            if steps.contains(.fail) { break }
            now = now.advanced(byMilliseconds: 20)
            guard now < 100_000 else { break }
        }
        #expect(now.rawValue == UInt64(Limits.transferStallMilliseconds))
        // 3 s, then twice as long each time.
        #expect(reconnects == [3_000, 9_000, 21_000])
    }
}
