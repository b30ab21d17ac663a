import LockstepRuntime
import TestSupport
import Testing

/// The estimate of a foreign clock, with clocks that a test makes.
@Suite struct ClockOffsetTests {
    /// A minute of frames, two each second in both directions.
    ///
    /// - Parameters:
    ///   - ahead: of the foreign clock at the beginning, in nanoseconds.
    ///   - drift: of the foreign clock, in nanoseconds a second.
    ///   - way: what a frame takes at least, and at most.
    private func worstError(
        ahead: Int64, drift: Int64, way: ClosedRange<Int64>, seed: Int
    ) -> Int64 {
        var random = SeededRandom(seed: seed)
        var offsets = ClockOffsets()
        func foreign(_ time: Int64) -> Int64 { time + ahead + time / 1_000_000_000 * drift }
        let times = (0..<120).map { 100_000_000_000 + Int64($0) * 500_000_000 }
        for time in times {
            let there = time + Int64.random(in: way, using: &random)
            let here = time + Int64.random(in: way, using: &random)
            offsets.note(
                received: UInt64(here), sent: UInt64(bitPattern: foreign(time)),
                difference: foreign(there) - time)
        }
        return times.map { time in
            abs(foreign(time) + offsets.offset(at: UInt64(time)) - time)
        }.max() ?? .max
    }

    /// Within a fifth of what the quickest frame takes, whatever the clocks are, though most frames
    /// are slow and the clock drifts by 20 ppm (1.2 ms in all).
    @Test(
        arguments: [0, 5_000_000_000, -40_000_000_000, 1 << 60] as [Int64], [0, 20_000, -20_000])
    func isFoundFromTheQuickestFrames(ahead: Int64, drift: Int64) {
        for seed in 1...5 {
            let error = worstError(
                ahead: ahead, drift: drift, way: 200_000...20_000_000, seed: seed)
            #expect(error < 1_500_000, "\(error) ns")
        }
        let error = worstError(ahead: ahead, drift: 0, way: 200_000...200_000, seed: 1)
        #expect(error <= 1)
    }

    /// What is known of one direction only is better than nothing.
    @Test func oneDirectionIsTakenForBoth() {
        var offsets = ClockOffsets()
        #expect(offsets.offset(at: 5) == 0)
        offsets.note(received: 1_000, sent: 400, difference: nil)
        #expect(offsets.offset(at: 1_000) == 600)
        // And what is known of another time, than only one direction.
        offsets.note(received: 90_000_000_000, sent: 89_999_999_000, difference: -400)
        #expect(offsets.offset(at: 1_000) == 500)
    }
}
