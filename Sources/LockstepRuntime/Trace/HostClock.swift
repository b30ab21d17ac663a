import Glibc
import LockstepProtocol

/// Whose clock a process has: all processes of one host since it was started share one, unless they
/// were given another by a time namespace.
enum HostClock {
    /// The same number where it is the same clock; 0 if unknown.
    static let identity: UInt64 = {
        guard let boot = SystemFile.text("/proc/sys/kernel/random/boot_id") else { return 0 }
        var namespace = [CChar](repeating: 0, count: 64)
        // Older systems have no such namespaces, and nothing to read.
        _ = unsafe readlink("/proc/self/ns/time", &namespace, namespace.count - 1)
        let text =
            boot
            + String(
                decoding: namespace.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let bytes = Array(text.utf8)
        return max(1, unsafe bytes.withUnsafeBytes { unsafe FrameCodec.checksum($0) })
    }()
}

/// How far a foreign clock is behind the coordinator's, from frames that went both ways.
///
/// A frame from there arrives later by the offset and its time on the way; one to there, less the
/// offset. Of each direction the quickest frame counts, and half of what they differ by is the
/// offset, as in NTP (RFC 5905, section 8), wrong by half of what the ways differ by. Clocks drift
/// by some microseconds a second, so that only frames of about the same time are compared.
package struct ClockOffsets: Sendable {
    private struct Fastest {
        var here: Int64?
        var there: Int64?

        mutating func add(_ other: Fastest) {
            here = [here, other.here].compactMap(\.self).min()
            there = [there, other.there].compactMap(\.self).min()
        }

        var offset: Int64? {
            guard let here, let there else { return nil }
            return here / 2 - there / 2
        }
    }

    private var fastest: [UInt64: Fastest] = [:]
    private static let intervalNanoseconds: UInt64 = 10_000_000_000

    package init() {}

    /// - Parameters:
    ///   - received: when a frame from there arrived, by the coordinator's clock.
    ///   - sent: when it was sent, by the foreign clock.
    ///   - difference: the foreign clock at a frame's arrival there, less the coordinator's at its
    ///     sending; nil where there was none.
    package mutating func note(received: UInt64, sent: UInt64, difference: Int64?) {
        fastest[received / Self.intervalNanoseconds, default: Fastest()].add(
            Fastest(here: Int64(bitPattern: received &- sent), there: difference))
    }

    /// What has to be added to the foreign clock's time, as of this time of the coordinator's.
    package func offset(at received: UInt64) -> Int64 {
        let place = received / Self.intervalNanoseconds
        var near = Fastest()
        for interval in [place &- 1, place, place &+ 1] {
            if let found = fastest[interval] { near.add(found) }
        }
        if let offset = near.offset { return offset }
        var whole = Fastest()
        for found in fastest.values { whole.add(found) }
        return whole.offset ?? whole.here ?? 0
    }
}
