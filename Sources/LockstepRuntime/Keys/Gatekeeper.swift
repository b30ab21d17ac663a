import Foundation
import LockstepProtocol
import Synchronization
import ZeroMQ

/// Says for all sockets of a context that bind who may enter: holders of the cluster's key (ZeroMQ
/// RFC 27).
///
/// It has to be there before any of them: as long as there is none libzmq lets nobody in, since the
/// sockets insist.
final class Gatekeeper: Sendable {
    let key: ClusterKey
    private let wakeUp: WakeUp
    private let isClosing = Atomic(false)
    private let closed = DispatchSemaphore(value: 0)
    private let opening = Mutex<ZMQError?>(nil)

    static let domain = "lockstep"

    init(_ key: ClusterKey, in context: Context) throws {
        self.key = key
        wakeUp = try WakeUp()
        let ready = DispatchSemaphore(value: 0)
        // Its socket belongs to the thread that makes it.
        let thread = Thread { [self] in
            defer { closed.signal() }
            do throws(ZMQError) {
                let socket = try Socket(.reply, in: context)
                try socket.bind(to: Self.endpoint())
                ready.signal()
                try serve(socket)
            } catch {
                opening.withLock { $0 = error }
                ready.signal()
            }
        }
        thread.name = "gatekeeper"
        thread.start()
        ready.wait()
        if let error = opening.withLock({ $0 }) { throw error }
    }

    /// Lets go of the context; nobody enters any more.
    func close() {
        guard !isClosing.exchange(true, ordering: .relaxed) else { return }
        wakeUp.signal()
        closed.wait()
    }

    private static func endpoint() throws(ZMQError) -> Endpoint {
        guard let endpoint = try? Endpoint("inproc://zeromq.zap.01") else {
            throw ZMQError(code: EINVAL, call: "zmq_bind")
        }
        return endpoint
    }

    private func serve(_ socket: borrowing Socket) throws(ZMQError) {
        var poller = Poller()
        _ = poller.add(socket)
        _ = poller.add(wakeUp)
        var frames: [[UInt8]] = []
        var frame = Message()
        while !isClosing.load(ordering: .relaxed) {
            try poller.wait(timeoutMilliseconds: Self.waitMilliseconds)
            while try socket.receiveFrame(into: &frame) {
                frames.append(unsafe frame.withUnsafeBytes { unsafe [UInt8]($0) })
                if frame.hasMore { continue }
                try answer(frames, on: socket)
                frames = []
            }
        }
    }

    /// version, request, domain, address, routing id, mechanism, and for CURVE the public key.
    private func answer(_ frames: [[UInt8]], on socket: borrowing Socket) throws(ZMQError) {
        let isMember =
            frames.count == 7 && frames[2].elementsEqual(Self.domain.utf8)
            && frames[5].elementsEqual("CURVE".utf8)
            && frames[6] == key.member.publicKey.bytes
        let request = frames.count > 1 ? frames[1] : []
        let reply: [[UInt8]] = [
            Array("1.0".utf8), request, Array((isMember ? "200" : "400").utf8),
            Array((isMember ? "" : "not the cluster's key").utf8), Array("member".utf8), [],
        ]
        for (index, part) in reply.enumerated() {
            _ = try socket.send(Message(copying: part), hasMore: index + 1 < reply.count)
        }
    }

    private static let waitMilliseconds = 1_000

    // MARK: Proof

    /// Knocks at a port of this process with a key that nobody knows: it has to be refused.
    ///
    /// - Throws: ``RoleError`` with `internalError` if it is not.
    func prove(_ port: Endpoint, in context: Context) throws {
        let stranger = try Socket(.dealer, in: context)
        try stranger.useCurve(
            asClientWith: try .generate(), serverKey: key.listener.publicKey)
        let monitor = try HandshakeMonitor(stranger, in: context)
        try stranger.connect(to: port.fromThisHost)
        var poller = Poller()
        _ = poller.add(monitor)
        let end = ContinuousClock.now + .milliseconds(Self.proofMilliseconds)
        while ContinuousClock.now < end {
            try poller.wait(timeoutMilliseconds: Self.proofMilliseconds)
            if case .refused? = try monitor.next() { return }
        }
        throw RoleError(
            .internalError,
            "\(port.text): a peer without the cluster's key was not refused; do not use this libzmq "
                + "(\(Library.version)) beyond this host")
    }

    private static let proofMilliseconds = 3_000
}
