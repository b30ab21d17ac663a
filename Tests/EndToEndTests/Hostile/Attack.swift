import Foundation
import LockstepProtocol
import Synchronization
import TestSupport
import TrainingPlan

/// One way to disturb a session.
struct Attack: Sendable {
    let name: String
    let run: @Sendable (Target, inout Allowance) throws -> Void

    init(
        _ name: String, _ run: @escaping @Sendable (Target, inout Allowance) throws -> Void
    ) {
        self.name = name
        self.run = run
    }

    /// Frames in turn to ports in turn, some at a time, over connections that are made again when
    /// they close.
    ///
    /// - Parameter reads: whether answers are taken.
    static func flood(
        _ frames: [[UInt8]], _ ports: [UInt16], reads: Bool = true, _ allowance: inout Allowance
    ) throws {
        var strangers: [UInt16: Stranger] = [:]
        var next = 0
        while !frames.isEmpty {
            for port in ports {
                if strangers[port]?.isClosed != false {
                    strangers[port] = try Stranger(greeting: port)
                }
                var batch: [UInt8] = []
                var count = 0
                repeat {
                    batch += ZMTP.frame(frames[next % frames.count])
                    next += 1
                    count += 1
                } while batch.count < 2_048 && count < 32
                strangers[port]?.write(batch)
                if reads { strangers[port]?.drain(waiting: false) }
                guard allowance.take(byteCount: batch.count, frameCount: count) else { return }
            }
        }
    }

    /// Bytes that are no ZMTP, or less than a greeting, over connections of their own, of which
    /// some stay open.
    static func open(
        _ opening: [UInt8], _ ports: [UInt16], keeping count: Int, _ allowance: inout Allowance
    ) throws {
        var kept: [Stranger] = []
        while true {
            for port in ports {
                let stranger = try Stranger(port: port)
                stranger.write(opening)
                kept.append(stranger)
                if kept.count > count { kept.removeFirst(kept.count - count) }
                guard allowance.takeConnection(opening.count) else { return }
            }
        }
    }

    /// The same frame from members that do not exist.
    private static func byStrangers(_ frames: [[UInt8]]) -> [[UInt8]] {
        frames.map { frame in
            var frame = frame
            unsafe frame.withUnsafeMutableBytes { bytes in
                if var header = try? unsafe FrameCodec.decodeHeader(
                    of: UnsafeRawBufferPointer(bytes))
                {
                    header.incarnation = 4_711
                    unsafe FrameCodec.encode(header, into: bytes)
                }
            }
            return frame
        }
    }

    private static func damaged(_ frames: [[UInt8]]) -> [[UInt8]] {
        frames.map { frame in
            var frame = frame
            frame[frame.count - 1] ^= 1
            return frame
        }
    }

    private static func noise(_ byteCount: Int, seed: Int) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.pixels(byteCount, density: 1)
    }

    private static let joined = Mutex<UInt64>(1 << 40)

    /// A worker that nobody has seen before joins and is a member; what it is called is in the
    /// answer.
    private static func join(_ target: Target) throws -> (Incarnation, nonce: UInt64) {
        let nonce = joined.withLock { nonce in
            nonce += 1
            return nonce
        }
        let dealer = try DealerPeer("tcp://127.0.0.1:\(target.control)")
        try dealer.send(Frames.status(1, Frames.joining(nonce: nonce)))
        return (try dealer.nextAssignment().1.incarnation, nonce)
    }

    private static func leave(_ target: Target, _ member: (Incarnation, nonce: UInt64)) throws {
        let dealer = try DealerPeer("tcp://127.0.0.1:\(target.control)")
        let goodbye = Frames.joining(
            nonce: member.nonce, phase: .leaving(StopReason(.success, "enough")))
        try dealer.send(
            Frames.status(2, goodbye, session: target.session, incarnation: member.0))
        _ = try dealer.nextAssignment()
    }

    // MARK: The scripts

    static let all: [Attack] = [
        Attack("pushes of a former session") { target, allowance in
            try flood(target.former[.push], [target.server], &allowance)
        },
        Attack("inquiries of a former session") { target, allowance in
            try flood(target.former[.inquiry], [target.server], &allowance)
        },
        Attack("statuses of a former session") { target, allowance in
            try flood(target.former[.status], [target.control], &allowance)
        },
        Attack("all frames of a former session, at every port") { target, allowance in
            try flood(target.former.all, target.ports, &allowance)
        },
        Attack("statuses replayed") { target, allowance in
            try flood(target.recorded(.status), [target.control], &allowance)
        },
        Attack("pushes replayed") { target, allowance in
            try flood(target.recorded(.push), [target.server], &allowance)
        },
        Attack("inquiries replayed") { target, allowance in
            try flood(target.recorded(.inquiry), [target.server], &allowance)
        },
        Attack("weights and answers replayed to the server") { target, allowance in
            try flood(
                target.recorded(.weights) + target.recorded(.held), [target.server], &allowance)
        },
        Attack("step reports replayed") { target, allowance in
            try flood(target.recorded(.stepReport), [target.control], &allowance)
        },
        Attack("assignments replayed, at every port") { target, allowance in
            try flood(target.recorded(.assignment), target.ports, &allowance)
        },
        Attack("pushes and inquiries of no member") { target, allowance in
            try flood(
                byStrangers(target.recorded(.push) + target.recorded(.inquiry)), [target.server],
                &allowance)
        },
        Attack("statuses and reports of no member") { target, allowance in
            try flood(
                byStrangers(target.recorded(.status) + target.recorded(.stepReport)),
                [target.control], &allowance)
        },
        Attack("damaged pushes of this session") { target, allowance in
            try flood(damaged(target.recorded(.push)), [target.server], &allowance)
        },
        Attack("damaged statuses and reports") { target, allowance in
            try flood(
                damaged(target.recorded(.status) + target.recorded(.stepReport)), [target.control],
                &allowance)
        },
        Attack("every type at every port") { target, allowance in
            let frames = FrameType.allCases.flatMap { target.recorded($0).prefix(2) }
            try flood(frames, target.ports, &allowance)
        },
        Attack("every type with fields at and beyond their limits") { target, allowance in
            try flood(hostileFields(target), target.ports, &allowance)
        },
        Attack("junk of 64 bytes") { target, allowance in
            try flood(
                (0..<32).map { noise(64, seed: $0) }, target.ports, &allowance)
        },
        Attack("junk of 200 KB") { target, allowance in
            try flood([noise(200_000, seed: 3)], target.ports, &allowance)
        },
        Attack("empty messages and single bytes") { target, allowance in
            try flood([[], [0], [0x4c], Array("LKST".utf8)], target.ports, &allowance)
        },
        Attack("huge declared lengths") { target, allowance in
            var kept: [Stranger] = []
            while true {
                for port in target.ports {
                    for byteCount in [200 << 20, 1 << 40, Int.max] {
                        let stranger = try Stranger(greeting: port)
                        let bytes = ZMTP.header(byteCount) + noise(1_000, seed: 1)
                        stranger.write(bytes)
                        kept.append(stranger)
                        if kept.count > 50 { kept.removeFirst() }
                        guard allowance.takeConnection(1_000) else { return }
                    }
                }
            }
        },
        Attack("headers that declare payloads of 4 GB") { target, allowance in
            let frames = target.recorded(.push).prefix(2).map { frame in
                var frame = Array(frame.prefix(FrameHeader.byteCount))
                frame.replaceSubrange(16..<20, with: [0xff, 0xff, 0xff, 0xff])
                return sealed(frame)
            }
            try flood(frames, target.ports, &allowance)
        },
        Attack("messages of many frames") { target, allowance in
            let parts = (0..<49).flatMap { _ in ZMTP.frame(noise(20, seed: 1), hasMore: true) }
            let message = parts + ZMTP.frame([1])
            var strangers = try target.ports.map { try Stranger(greeting: $0) }
            while true {
                for (index, port) in target.ports.enumerated() {
                    if strangers[index].isClosed { strangers[index] = try Stranger(greeting: port) }
                    strangers[index].write(message)
                    guard allowance.take(byteCount: message.count, frameCount: 50) else { return }
                }
            }
        },
        Attack("routing ids of their own, each by several") { target, allowance in
            var kept: [Stranger] = []
            var count = 0
            while true {
                for port in target.ports {
                    count += 1
                    let stranger = try Stranger(
                        greeting: port, routingID: Array("id \(count / 3 % 20)".utf8))
                    stranger.write(ZMTP.frame(noise(64, seed: 1)))
                    kept.append(stranger)
                    if kept.count > 120 { kept.removeFirst() }
                    guard allowance.takeConnection(200) else { return }
                }
            }
        },
        Attack("connections that say nothing") { target, allowance in
            try open([], target.ports, keeping: 200, &allowance)
        },
        Attack("half a greeting") { target, allowance in
            try open(Array(ZMTP.greeting.prefix(20)), target.ports, keeping: 200, &allowance)
        },
        Attack("a greeting and no more") { target, allowance in
            try open(ZMTP.greeting, target.ports, keeping: 200, &allowance)
        },
        Attack("1,000 connections opened and dropped at a time") { target, allowance in
            repeat {
                for index in 0..<1_000 {
                    _ = try Stranger(port: target.ports[index % 3])
                    guard allowance.takeConnection(0) else { return }
                }
            } while true
        },
        Attack("HTTP") { target, allowance in
            let request = Array("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".utf8)
            try open(request, target.ports, keeping: 20, &allowance)
        },
        Attack("TLS") { target, allowance in
            let hello: [UInt8] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3] + noise(506, seed: 5)
            try open(hello, target.ports, keeping: 20, &allowance)
        },
        Attack("random bytes") { target, allowance in
            try open(noise(4_096, seed: 6), target.ports, keeping: 20, &allowance)
        },
        Attack("data set requests of no member, and out of range") { target, allowance in
            let member = try join(target)
            let parts: [(UInt64, UInt32)] = [
                (UInt64(Limits.maximumDatasetByteCount), 1), (1 << 31, 1 << 18),
                (.max, 1), (0, .max), (1 << 32, 0),
            ]
            let frames = [member.0, 4_711].flatMap { incarnation in
                parts.map { offset, byteCount in
                    Frames.frame(
                        .datasetRequest(BytePart(offset: offset, byteCount: byteCount)),
                        session: target.session, incarnation: incarnation)
                }
            }
            try flood(frames, [target.data], &allowance)
            try leave(target, member)
        },
        Attack("data set requests whose answers nobody reads") { target, allowance in
            let member = try join(target)
            let frame = Frames.frame(
                .datasetRequest(BytePart(offset: 0, byteCount: UInt32(Limits.partByteCount))),
                session: target.session, incarnation: member.0)
            try flood([frame], [target.data], reads: false, &allowance)
            try leave(target, member)
        },
        Attack("snapshot requests, replayed and of steps to come") { target, allowance in
            let frames = [0, 1, 7, 1 << 50].map { step in
                Frames.frame(
                    .snapshotRequest(
                        SnapshotPart(
                            address: target.address(step),
                            part: BytePart(offset: 0, byteCount: UInt32(Limits.partByteCount)))),
                    session: target.session)
            }
            try flood(
                target.recorded(.snapshotRequest) + frames, [target.server], reads: false,
                &allowance)
        },
        Attack("inquiries for all leaves, of steps long ago and to come") { target, allowance in
            let frames = [0, 1, 2, 3, 1 << 40, 1 << 50].flatMap { step in
                [0, 8, SettingLimits.maximumBatchSize].map { leafCount in
                    Frames.frame(
                        .inquiry(
                            target.address(step),
                            leaves: LeafRange(firstLeaf: 0, leafCount: leafCount)),
                        session: target.session, incarnation: target.worker)
                }
            }
            try flood(frames, [target.server], reads: false, &allowance)
        },
        Attack("workers that join and leave") { target, allowance in
            while true {
                try leave(target, try join(target))
                guard allowance.take(byteCount: 20_000, frameCount: 200) else { return }
            }
        },
        Attack("refusals that nobody reads") { target, allowance in
            let frames = (0..<32).map { index in
                Frames.status(
                    1, Frames.joining(nonce: UInt64(index), arithmeticVersion: 99),
                    session: target.session, incarnation: 4_711)
            }
            try flood(frames, [target.control], reads: false, &allowance)
        },
    ]

    /// Header checksum made anew.
    private static func sealed(_ frame: [UInt8]) -> [UInt8] {
        let checksum = unsafe frame.withUnsafeBytes {
            unsafe FrameCodec.checksum(UnsafeRawBufferPointer(rebasing: $0[..<56]))
        }
        return Array(frame.prefix(56))
            + (0..<8).map { UInt8(truncatingIfNeeded: checksum >> UInt64(8 * $0)) }
            + frame.dropFirst(64)
    }

    private static func hostileFields(_ target: Target) -> [[UInt8]] {
        let steps: [UInt64] = [0, 1 << 50, 1 << 50 + 1, .max]
        let leaves = [
            LeafRange(firstLeaf: 0, leafCount: 0), LeafRange(firstLeaf: 0, leafCount: 1),
            LeafRange(firstLeaf: SettingLimits.maximumBatchSize, leafCount: 0),
            LeafRange(firstLeaf: SettingLimits.maximumBatchSize - 1, leafCount: 1),
            LeafRange(firstLeaf: 1, leafCount: SettingLimits.maximumBatchSize),
            LeafRange(firstLeaf: Int(UInt32.max), leafCount: Int(UInt32.max)),
        ]
        let parts: [(UInt64, UInt32)] = [(0, 0), (UInt64(UInt32.max), 1 << 18), (0, .max)]
        var contents: [FrameContent] = [
            .status(.init(rawValue: .max)), .assignment(.init(rawValue: .max)),
        ]
        for step in steps {
            for (run, shard) in [
                (0, 0), (0, 63), (0, 64), (UInt32.max, 0), (UInt32.max, UInt32.max),
            ]
                as [(UInt32, UInt32)]
            {
                let address = target.address(step, shard: shard, run: run)
                contents += [.stepReport(address, elapsed: 0), .weights(address)]
                for range in leaves {
                    contents += [
                        .push(address, node: range), .inquiry(address, leaves: range),
                        .held(address, leaves: range),
                    ]
                }
                for (offset, byteCount) in parts {
                    let part = SnapshotPart(
                        address: address, part: BytePart(offset: offset, byteCount: byteCount))
                    contents += [.snapshotRequest(part), .snapshotPart(part)]
                }
            }
        }
        for offset in [0, 1 << 32, UInt64.max] {
            for byteCount in [0, 1 << 18, UInt32.max] {
                let part = BytePart(offset: offset, byteCount: byteCount)
                contents += [.datasetRequest(part), .datasetPart(part)]
            }
        }
        return contents.flatMap { content in
            [SessionID.none, target.session].map { session in
                Frames.frame(content, session: session, incarnation: session == .none ? 0 : 4_711)
            }
        }
    }
}
