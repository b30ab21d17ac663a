/// Frames that are not ours: junk, a port scan, an HTTP request. Counted, and told once a peer.
package struct MalformedFrames: Sendable {
    package private(set) var count = 0
    private var peers: Set<PeerHandle> = []

    package init() {}

    /// True if this is the first one from `peer`, and so worth a line in the log. Beyond
    /// ``Limits/maximumJunkPeers`` peers nothing more is told.
    package mutating func isFirst(from peer: PeerHandle) -> Bool {
        count += 1
        guard peers.count < Limits.maximumJunkPeers else { return false }
        return peers.insert(peer).inserted
    }
}
