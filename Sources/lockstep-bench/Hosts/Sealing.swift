import Hashing

/// What CURVE costs: each message is sealed on one side and opened on the other.
enum Sealing {
    /// Seconds of one core for a byte on its way, best of some rounds over messages of this length.
    static func secondsPerByte(messageByteCount: Int) -> Double {
        var box = Box(messageByteCount: messageByteCount)
        let timed = Timed(calls: 16) { box.sealAndOpen() }
        let best = (0..<200).map { _ in timed.sample() }.min() ?? .nan
        return best / Double(messageByteCount)
    }
}
