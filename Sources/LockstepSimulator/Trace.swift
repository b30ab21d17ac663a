import LockstepProtocol
import TrainingPlan
import ZeroMQ

/// A conversation, a line an event, to be read by people.
package final class Trace {
    private let time: SimulatedTime
    private let names: [String]
    private let write: (String) -> Void

    init(_ time: SimulatedTime, names: [String], write: @escaping (String) -> Void) {
        self.time = time
        self.names = names
        self.write = write
    }

    func line(_ text: String) {
        let (whole, rest) = (time.now / 1_000, time.now % 1_000)
        let fraction = String(rest + 1_000).dropFirst()
        write("\(whole).\(fraction) ms  \(text)")
    }

    func event(_ process: Int, _ text: String) { line("\(names[process]): \(text)") }

    /// A frame, and what the network did to it.
    func frame(_ flight: SimulatedNetwork.Flight, _ fate: String?) {
        let connection = flight.connection
        let (sender, receiver) =
            flight.isUp
            ? (connection.client, connection.server) : (connection.server, connection.client)
        let content = unsafe flight.message.withUnsafeBytes { frame in
            (try? unsafe FrameCodec.decodeHeader(of: frame)).map { header in
                unsafe Self.text(header, FrameCodec.payload(of: frame))
            }
        }
        let ending = fate.map { " — \($0)" } ?? ""
        line("\(names[sender]) → \(names[receiver]): \(content ?? "junk")\(ending)")
    }

    private static func text(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) -> String {
        switch header.content {
        case .status(let number):
            let phase = unsafe Status(decoding: payload).map { "\($0.phase)" } ?? "unreadable"
            return "status \(number), \(phase)"
        case .assignment(let number, _):
            let duty = unsafe Assignment(decoding: payload).map { text($0.duty) } ?? "unreadable"
            return "assignment \(number), \(duty)"
        case .stepReport(let address, _): return "report of \(text(address))"
        case .traceEvents(let batch): return "\(batch.eventCount) events of a timeline"
        case .push(let address, let node): return "push \(node) of \(text(address))"
        case .inquiry(let address, let leaves): return "inquiry for \(text(address)), \(leaves)"
        case .channelOffer: return "memory to share"
        case .channelWake: return "something in shared memory"
        case .overviewRequest: return "overview wanted"
        case .overview: return "overview"
        case .scaleRequest(let workers): return "\(workers) workers wanted"
        case .scaleReply: return "answer to that"
        case .weightsRequest(let address, let wanted):
            return "weights of step \(wanted) wanted at \(text(address))"
        case .weights(let address): return "weights of \(text(address))"
        case .held(let address, let leaves): return "held of \(text(address)), \(leaves)"
        case .datasetRequest(let part): return "data set from \(part.offset) wanted"
        case .datasetPart(let part): return "data set from \(part.offset)"
        case .snapshotRequest(let request):
            return "weights of \(text(request.address)) from \(request.part.offset) wanted"
        case .snapshotPart(let request):
            return "weights of \(text(request.address)) from \(request.part.offset)"
        }
    }

    private static func text(_ address: StepAddress) -> String {
        "step \(address.step), shard \(address.shard)"
    }

    private static func text(_ duty: Duty) -> String {
        switch duty {
        case .wait: "wait"
        case .serve(_, let duty):
            (duty.checkpoint.map { "keep \($0); " } ?? "")
                + "serve shard \(duty.shard) of run \(duty.order.run) for workers "
                + "\(duty.workers.map(\.description).joined(separator: " ")); received \(duty.receipts.received), "
                + "recorded \(duty.receipts.recorded), snapshots \(duty.receipts.snapshots)"
        case .work(_, let duty):
            "view \(duty.view): work on leaves \(duty.leaves.lowerBound)..<\(duty.leaves.upperBound) of run "
                + "\(duty.order.run)"
        case .leave(let farewell): farewell.isHeard ? "leave, heard" : "leave"
        case .refused(let reason): "refused: \(reason.text)"
        case .rejoin: "join again"
        }
    }
}
