import Foundation
import Synchronization

/// All that goes over the network interfaces of this host while it is there, loopback included.
final class Capture: Sendable {
    private let descriptor: Int32
    private let bytes = Mutex<[UInt8]>([])
    private let isEnding = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    /// Nil without the right to listen: that takes root.
    init?() {
        // linux/if_ether.h: ETH_P_ALL, every protocol.
        descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), Int32(UInt16(3).bigEndian))
        guard descriptor >= 0 else { return nil }
        var room: Int32 = 64 << 20
        var wait = timeval(tv_sec: 0, tv_usec: 100_000)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, 4)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        Thread.detachNewThread { [self] in
            var packet = [UInt8](repeating: 0, count: 1 << 17)
            while true {
                let count = unsafe recv(descriptor, &packet, packet.count, 0)
                if count > 0 {
                    bytes.withLock { $0 += packet.prefix(count) }
                } else if isEnding.load(ordering: .relaxed) {
                    // All that has gone by was read.
                    break
                }
            }
            ended.signal()
        }
    }

    /// Ends it.
    ///
    /// - Returns: what went by.
    func end() -> Data {
        isEnding.store(true, ordering: .relaxed)
        ended.wait()
        close(descriptor)
        return bytes.withLock { Data($0) }
    }
}
