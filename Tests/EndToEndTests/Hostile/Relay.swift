import Foundation
import LockstepProtocol
import Synchronization
import TestSupport
import Testing
import ZeroMQ

/// The frames that have passed a relay, by type.
final class Recording: Sendable {
    private let frames = Mutex<[FrameType: [[UInt8]]]>([:])

    /// Small ones from several steps; a few of the large ones.
    private static func capacity(_ frame: [UInt8]) -> Int { frame.count > 16_384 ? 4 : 64 }

    func add(_ frame: [UInt8]) {
        guard
            let header = try? unsafe frame.withUnsafeBytes({
                try unsafe FrameCodec.decodeHeader(of: $0)
            })
        else { return }
        frames.withLock { frames in
            if frames[header.type, default: []].count < Self.capacity(frame) {
                frames[header.type, default: []].append(frame)
            }
        }
    }

    subscript(_ type: FrameType) -> [[UInt8]] { frames.withLock { $0[type] ?? [] } }

    var all: [[UInt8]] { frames.withLock { Array($0.values.joined()) } }

    /// The same frames as they pass in another session, where nothing else of them differs: what
    /// workers push and servers answer is a function of the configuration.
    func resealed(_ session: SessionID, _ incarnation: Incarnation, _ type: FrameType) -> [[UInt8]]
    {
        self[type].map { frame in
            var frame = frame
            unsafe frame.withUnsafeMutableBytes { bytes in
                guard
                    var header = try? unsafe FrameCodec.decodeHeader(
                        of: UnsafeRawBufferPointer(bytes))
                else { return }
                header.session = session
                header.incarnation = incarnation
                unsafe FrameCodec.encode(header, into: bytes)
            }
            return frame
        }
    }
}

/// Stands between members and a port, passes everything on, and keeps a copy.
///
/// Where a server says where it is reached, a relay to that is put in its place.
final class Relay {
    let port: UInt16
    private let end = End()

    private final class End: Sendable {
        let isThere = Atomic<Bool>(false)
    }

    private let ended = DispatchSemaphore(value: 0)

    init(to endpoint: String, _ recording: Recording) throws {
        let opened = DispatchSemaphore(value: 0)
        let bound = Mutex<UInt16>(0)
        Thread.detachNewThread { [end, ended] in
            defer { ended.signal() }
            do {
                try Self.run(endpoint, recording, end) { port in
                    bound.withLock { $0 = port }
                    opened.signal()
                }
            } catch {
                Issue.record("a relay ended: \(error)")
                opened.signal()
            }
        }
        opened.wait()
        port = bound.withLock { $0 }
    }

    deinit {
        end.isThere.store(true, ordering: .relaxed)
        ended.wait()
    }

    private final class Passage {
        let member: RoutingID
        let socket: Socket

        init(_ member: RoutingID, _ socket: consuming Socket) {
            self.member = member
            self.socket = socket
        }
    }

    private static func run(
        _ endpoint: String, _ recording: Recording, _ end: End,
        opened: (UInt16) -> Void
    ) throws {
        let context = try Context()
        let router = try Socket(.router, in: context)
        opened(try #require(try router.bind(to: Endpoint("tcp://127.0.0.1:*")).port))
        var passages: [Passage] = []
        var dataRelays: [Relay] = []
        var message = Message()
        while !end.isThere.load(ordering: .relaxed) {
            var isIdle = true
            while case .message(let member) = try router.receiveRouted(into: &message) {
                isIdle = false
                var frame = unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
                recording.add(frame)
                try redirect(&frame, recording, &dataRelays)
                let passage: Passage
                if let known = passages.first(where: { $0.member == member }) {
                    passage = known
                } else {
                    let socket = try Socket(.dealer, in: context)
                    try socket.connect(to: Endpoint(endpoint))
                    passage = Passage(member, socket)
                    passages.append(passage)
                }
                _ = try passage.socket.send(Message(copying: frame))
            }
            for passage in passages {
                while try passage.socket.receive(into: &message) == .message {
                    isIdle = false
                    let frame = unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
                    recording.add(frame)
                    _ = try router.send(Message(copying: frame), to: passage.member)
                }
            }
            if isIdle { usleep(200) }
        }
    }

    /// Puts a relay between a server that says where it is and those who are told.
    private static func redirect(
        _ frame: inout [UInt8], _ recording: Recording, _ relays: inout [Relay]
    ) throws {
        let decoded = unsafe frame.withUnsafeBytes { bytes -> (FrameHeader, Status)? in
            guard let header = try? unsafe FrameCodec.decodeHeader(of: bytes),
                header.type == .status
            else { return nil }
            return unsafe Status(decoding: FrameCodec.payload(of: bytes)).map { (header, $0) }
        }
        guard case (let header, var status)? = decoded,
            case .status(let number) = header.content, let endpoint = status.member.dataEndpoint
        else { return }
        if relays.isEmpty { relays.append(try Relay(to: endpoint, recording)) }
        status.member.dataEndpoint = "tcp://127.0.0.1:\(relays[0].port)"
        frame = Frames.status(
            number, status, session: header.session, incarnation: header.incarnation)
    }
}
