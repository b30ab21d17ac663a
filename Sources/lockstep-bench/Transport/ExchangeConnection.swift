import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A worker's way to one server of the exchange.
final class ExchangeConnection {
    private let socket: Socket
    private let frame: BenchFrame
    private var answer = Message()
    private let handler = ReleaseHandler {}
    private let floatCount: Int

    init(to endpoint: String, in context: Context, floatCount: Int) throws {
        socket = try Socket(.dealer, in: context)
        try socket.configureForExchange(floatCount: floatCount)
        try socket.connect(to: Endpoint(endpoint))
        self.floatCount = floatCount
        frame = BenchFrame(floatCount: floatCount)
        unsafe frame.payload.bindMemory(to: Float.self).update(repeating: 1)
    }

    func watch(_ poller: inout Poller) -> Poller.Member { poller.add(socket) }

    /// The frame is written anew only after its answer, when libzmq has long sent it.
    func push(_ step: Int, _ kernels: KernelSet) throws {
        frame.seal(
            .push(BenchFrame.address(step), node: LeafRange(firstLeaf: 0, leafCount: 1)), kernels)
        guard try socket.send(frame.message(handler)).isSent else {
            throw BenchError(.lostPeer, "the queue to a server is full")
        }
    }

    /// Takes the weights, if they are there.
    ///
    /// - Parameter target: where to copy them.
    func receive(_ kernels: KernelSet, into target: UnsafeMutablePointer<Float>?) throws -> Bool {
        guard case .message = try socket.receive(into: &answer) else { return false }
        try kernels.verify(answer)
        if let target = unsafe target {
            unsafe answer.withUnsafeBytes { frame in
                guard let start = unsafe FrameCodec.payload(of: frame).baseAddress else { return }
                unsafe kernels.copyFloats(start, target, floatCount)
            }
        }
        return true
    }
}
