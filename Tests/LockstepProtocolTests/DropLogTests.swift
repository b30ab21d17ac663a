import LockstepProtocol
import Testing
import TrainingPlan

@Suite struct DropLogTests {
    @Test func everyReasonHasWordsOfItsOwn() {
        let texts = DropReason.allCases.map(\.text)
        #expect(Set(texts).count == texts.count)
        #expect(texts.allSatisfy { !$0.isEmpty })
    }

    @Test func countsAreToldOnceAMinuteAndOnlyWhatIsNew() {
        var log = DropLog()
        #expect(log.due(now: 1_000) == nil)
        log.add(.staleRun)
        log.add(.staleRun)
        log.add(.damaged)
        #expect(log.due(now: 60_999) == nil)
        #expect(log.due(now: 61_000) == "1 damaged in transit, 2 of another run")
        #expect(log.due(now: 121_000) == nil, "nothing is new")
        log.add(.staleRun)
        #expect(log.due(now: 121_001) == nil)
        #expect(log.due(now: 181_000) == "1 of another run")
        #expect(log.counts[.staleRun] == 3 && log.counts[.damaged] == 1)
    }

    @Test func eachConnectionIsToldOnceAndNoMoreThanTheLimit() {
        var log = DropLog()
        var told = 0
        for peer in 0..<3_000 {
            for _ in 0..<2 where log.add(.headerChecksum, from: PeerHandle(peer)) { told += 1 }
        }
        #expect(told == Limits.maximumJunkPeers)
        #expect(log.add(.headerChecksum, from: nil) == false)
        #expect(log.counts[.damaged] == 6_001)
    }

    /// What a machine counts is what the error says.
    @Test func errorsAreCountedByWhatTheyAre() {
        let expected: [(FrameError, DropReason)] = [
            (.truncated(byteCount: 1), .foreign), (.wrongMagic(1), .foreign),
            (.notOneFrame, .foreign), (.unsupportedVersion(1), .otherVersion),
            (.headerChecksum, .damaged), (.payloadChecksum(.push), .damaged),
            (.unknownType(1), .wrongType), (.unknownEncoding(1), .wrongType),
            (.wrongDirection(.push), .wrongType), (.fieldOutOfRange(.push), .malformed),
            (.payloadTooLong(.push, byteCount: 1, limit: 0), .malformed),
            (.payloadLength(.push, declared: 1, found: 2), .malformed),
            (.payloadContent(.status), .malformed),
        ]
        for (error, reason) in expected {
            #expect(error.reason == reason)
            #expect(!error.description.isEmpty)
        }
    }
}
