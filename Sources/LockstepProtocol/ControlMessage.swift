import Foundation
package import TrainingPlan

/// A message of the control plane with a JSON payload.
package enum ControlMessage: Hashable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    /// Coordinator → process that may not join.
    case refused(StopReason)
    /// Worker → coordinator: it holds the data set.
    case workerReady
    case prepareRun(PrepareRun)
    case runPrepared(RunIndex)
    case startRun(StartRun)
    case viewAcknowledged(RunIndex, ViewNumber)
    /// Coordinator → server: the weights of a step that it still keeps.
    case snapshotRequest(RunIndex, Step)
    case diverged(Diverged)
    case heartbeat(Heartbeat)
    /// Coordinator → member: the run is over, whatever is still under way.
    case endRun(RunIndex)
    case sessionEnded(SessionEnded)
    /// Member → coordinator: leaves, and why if it was not told to.
    case goodbye(StopReason)
    /// Member → coordinator: cannot go on, and neither can the session.
    case failed(StopReason)

    package var type: MessageType {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .refused: .refused
        case .workerReady: .workerReady
        case .prepareRun: .prepareRun
        case .runPrepared: .runPrepared
        case .startRun: .startRun
        case .viewAcknowledged: .viewAcknowledged
        case .snapshotRequest: .snapshotRequest
        case .diverged: .diverged
        case .heartbeat: .heartbeat
        case .endRun: .endRun
        case .sessionEnded: .sessionEnded
        case .goodbye: .goodbye
        case .failed: .failed
        }
    }

    /// The whole frame: header, checksums and payload. Cold path: allocates.
    package func frame(session: SessionID, incarnation: Incarnation) throws -> [UInt8] {
        let payload = try payload()
        var header = FrameHeader(
            type: type, session: session, incarnation: incarnation,
            payloadByteCount: UInt64(payload.count))
        unsafe payload.withUnsafeBytes { bytes in
            unsafe header.payloadChecksum = FrameCodec.checksum(bytes)
        }
        var frame = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        unsafe frame.withUnsafeMutableBytes { unsafe FrameCodec.encode(header, into: $0) }
        return frame + payload
    }

    /// Reads the payload of a frame whose header has been decoded; checks its checksum first.
    ///
    /// Nil for a type that has no JSON payload.
    package init?(
        frame: UnsafeRawBufferPointer, header: FrameHeader
    ) throws(FrameError) {
        do {
            let decoded: ControlMessage? = try Self.decode(header.type) {
                try unsafe FrameCodec.verifyPayload(
                    of: frame, header: header, checksum: FrameCodec.checksum)
                return unsafe Data(FrameCodec.payload(of: frame))
            }
            guard let decoded else { return nil }
            self = decoded
        } catch let error as FrameError {
            throw error
        } catch {
            throw .payloadContent(header.type)
        }
    }

    private func payload() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return switch self {
        case .hello(let body): try encoder.encode(body)
        case .welcome(let body): try encoder.encode(body)
        case .refused(let body), .goodbye(let body), .failed(let body): try encoder.encode(body)
        case .workerReady: Data("{}".utf8)
        case .prepareRun(let body): try encoder.encode(body)
        case .runPrepared(let run), .endRun(let run): try encoder.encode(RunBody(run: run))
        case .startRun(let body): try encoder.encode(body)
        case .viewAcknowledged(let run, let view):
            try encoder.encode(ViewBody(run: run, view: view))
        case .snapshotRequest(let run, let step):
            try encoder.encode(StepBody(run: run, step: step))
        case .diverged(let body): try encoder.encode(body)
        case .heartbeat(let body): try encoder.encode(body)
        case .sessionEnded(let body): try encoder.encode(body)
        }
    }

    private static func decode(
        _ type: MessageType, payload: () throws -> Data
    ) throws -> ControlMessage? {
        func body<T: Decodable>(_: T.Type = T.self) throws -> T {
            try JSONDecoder().decode(T.self, from: payload())
        }
        switch type {
        case .attach, .push, .weights, .weightsRequest, .datasetRequest, .datasetChunk,
            .stepCommitted, .snapshot:
            return nil
        case .hello: return .hello(try body())
        case .welcome: return .welcome(try body())
        case .refused: return .refused(try body())
        case .workerReady:
            _ = try body(EmptyBody.self)
            return .workerReady
        case .prepareRun: return .prepareRun(try body())
        case .runPrepared: return .runPrepared(try body(RunBody.self).run)
        case .startRun: return .startRun(try body())
        case .viewAcknowledged:
            let body = try body(ViewBody.self)
            return .viewAcknowledged(body.run, body.view)
        case .snapshotRequest:
            let body = try body(StepBody.self)
            return .snapshotRequest(body.run, body.step)
        case .diverged: return .diverged(try body())
        case .heartbeat: return .heartbeat(try body())
        case .endRun: return .endRun(try body(RunBody.self).run)
        case .sessionEnded: return .sessionEnded(try body())
        case .goodbye: return .goodbye(try body())
        case .failed: return .failed(try body())
        }
    }

    private struct EmptyBody: Codable {}
    private struct RunBody: Codable { var run: RunIndex }
    private struct ViewBody: Codable {
        var run: RunIndex
        var view: ViewNumber
    }
    private struct StepBody: Codable {
        var run: RunIndex
        var step: Step
    }
}
