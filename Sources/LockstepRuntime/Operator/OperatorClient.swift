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
            return header.type == type ? try wire.statement(message, header) : nil
        } catch {
            guard case .unsupportedVersion = error else { return nil }
            throw RoleError(.mismatch, "the coordinator at \(coordinator.text): \(error)")
        }
    }

    private static let intervalNanoseconds: UInt64 = 300_000_000
}
