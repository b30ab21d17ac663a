package import LockstepProtocol
import NeuralNetwork
import TrainingPlan
package import ZeroMQ

/// A person's side of a conversation with a coordinator: asks, and waits for the answer.
///
/// Not a member: it is never waited for, and asks again until it is heard.
package final class OperatorClient {
    private let network: SocketTransport
    private let wire = Wire(kernels: KernelSet(.baseline))
    private let coordinator: Endpoint
    private let waitTimeoutMilliseconds: Int
    private var message = Message()
    /// Of the coordinator that answered last.
    private var session = SessionID.none

    package init(
        _ coordinator: Endpoint, waitTimeoutMilliseconds: Int, key: ClusterKey? = nil
    ) throws {
        self.coordinator = coordinator
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
        let context = try Context()
        network = SocketTransport(context, wakeUp: try WakeUp(), key: key)
        try network.connect(
            .coordinator, to: coordinator.text,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
    }

    /// What the cluster is at.
    ///
    /// - Throws: ``RoleError`` with `unavailable` where nobody answers, and with `mismatch` for
    ///   another release.
    package func overview() throws -> ClusterOverview {
        try ask(.overviewRequest, for: .overview)
    }

    /// Asks for so many workers on the coordinator's host.
    package func scale(toWorkers count: UInt32) throws -> ScaleReply {
        try ask(.scaleRequest(workers: count), for: .scaleReply)
    }

    private func ask<Answer: Statement>(
        _ question: FrameContent, for type: FrameType
    ) throws -> Answer {
        let start = SystemClock.nanoseconds
        var asked: UInt64 = 0
        while true {
            let now = SystemClock.nanoseconds
            if now - start > UInt64(waitTimeoutMilliseconds) * 1_000_000 {
                throw RoleError(
                    .unavailable,
                    "no coordinator has answered at \(coordinator.text) within "
                        + "\(seconds(waitTimeoutMilliseconds)) s: check the address, or wait longer with "
                        + "--wait-timeout")
            }
            if asked == 0 || now - asked > Self.intervalNanoseconds {
                asked = now
                let header = FrameHeader(question, session: .none, incarnation: .none)
                _ = try network.send(wire.message(header), to: .coordinator)
            }
            try network.wait(milliseconds: 20)
            while case .frame? = try network.receive(into: &message) {
                if let answer: Answer = try read(type) { return answer }
            }
        }
    }

    /// The answer in hand, if it is of this type.
    private func read<Answer: Statement>(_ type: FrameType) throws -> Answer? {
        do throws(FrameError) {
            let header = try wire.header(of: message)
            guard header.type == type else { return nil }
            session = header.session
            return try wire.statement(message, header)
        } catch {
            guard case .unsupportedVersion = error else { return nil }
            throw RoleError(.mismatch, "the coordinator at \(coordinator.text): \(error)")
        }
    }

    /// How fast data comes from the coordinator: gets parts of its data set, which go nowhere.
    ///
    /// - Parameters:
    ///   - endpoint: the coordinator's data port.
    ///   - dataset: of the overview, which was asked for before.
    ///   - milliseconds: how long to measure.
    /// - Returns: bytes a second; nil where nothing has come.
    package func throughput(
        from endpoint: String, _ dataset: DatasetDescription, milliseconds: Int
    ) throws -> Double? {
        try network.connect(
            .coordinatorData, to: endpoint,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        defer { network.disconnect(.coordinatorData) }
        let partByteCount = min(UInt64(Limits.partByteCount), dataset.byteCount)
        guard partByteCount > 0 else { return nil }
        let start = SystemClock.nanoseconds
        let end = start + UInt64(milliseconds) * 1_000_000
        var offset: UInt64 = 0
        var inFlight = 0
        // The first part opens the connection, and is not measured.
        var first: UInt64?
        var last = start
        var byteCount = 0
        while SystemClock.nanoseconds < end {
            while inFlight < (first == nil ? 1 : Limits.partsInFlight) {
                if offset + partByteCount > dataset.byteCount { offset = 0 }
                let part = BytePart(offset: offset, byteCount: UInt32(partByteCount))
                let header = FrameHeader(
                    .datasetRequest(part), session: session, incarnation: .none)
                guard try network.send(wire.message(header), to: .coordinatorData) == .queued
                else { break }
                offset += partByteCount
                inFlight += 1
            }
            try network.wait(milliseconds: 20)
            while case .frame(.coordinatorData)? = try network.receive(into: &message) {
                inFlight -= 1
                last = SystemClock.nanoseconds
                if first == nil { first = last } else { byteCount += Int(partByteCount) }
            }
        }
        guard let first, last > first else { return nil }
        return Double(byteCount) * 1e9 / Double(last - first)
    }

    private static let intervalNanoseconds: UInt64 = 300_000_000
}
