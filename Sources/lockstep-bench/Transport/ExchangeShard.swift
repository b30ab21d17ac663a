import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A server's part of the exchange: sums what is pushed, takes a step of plain descent, and sends
/// all who pushed the same frame.
final class ExchangeShard {
    private let kernels: KernelSet
    private let socket: Socket
    private var push = Message()
    /// Who has pushed in this step.
    private var peers: [RoutingID] = []
    private let peerCount: Int
    private let sum: FloatBuffer
    private let weights: FloatBuffer
    /// Workers still read the last frame while the next one is made.
    private let frames: [BenchFrame]
    private let floats: Int
    private let handler = ReleaseHandler {}
    let endpoint: String

    /// - Parameter peerCount: how many push over the socket in a step.
    init(
        at endpoint: String, in context: Context, peerCount: Int, floats: Int, _ kernels: KernelSet
    ) throws {
        self.kernels = kernels
        self.floats = floats
        self.peerCount = peerCount
        socket = try Socket(.router, in: context)
        try socket.configureForExchange(floatCount: floats)
        self.endpoint = try socket.bind(to: Endpoint(endpoint)).text
        sum = FloatBuffer(count: floats)
        weights = FloatBuffer(count: floats)
        frames = (0..<2).map { _ in BenchFrame(floatCount: floats) }
    }

    func watch(_ poller: inout Poller) -> Poller.Member { poller.add(socket) }

    var hasAllPushes: Bool { peers.count == peerCount }

    /// Begins a step with what this process itself pushes.
    func begin(with own: UnsafePointer<Float>) {
        unsafe kernels.copyFloats(own, sum.pointer, floats)
    }

    /// Takes a push, if one is there.
    ///
    /// - Parameter isFirst: whether it begins the sum of the step.
    func receive(isFirst: Bool) throws -> Bool {
        switch try socket.receiveRouted(into: &push) {
        case .message(let sender):
            try kernels.verify(push)
            unsafe push.withUnsafeBytes { frame in
                let payload = unsafe FrameCodec.payload(of: frame)
                guard let start = payload.baseAddress else { return }
                if isFirst {
                    unsafe kernels.copyFloats(start, sum.pointer, floats)
                } else {
                    unsafe kernels.fold(sum.pointer, start, into: sum.pointer, count: floats)
                }
            }
            peers.append(sender)
            return true
        case .malformed: return true
        case .nothing: return false
        }
    }

    /// Ends the step.
    func answer(_ step: Int) throws {
        _ = unsafe kernels.gradientDescent(
            floats, sum.pointer, 1, 0.01, 0, weights.pointer, weights.pointer)
        let frame = frames[step % 2]
        if let payload = unsafe frame.payload.baseAddress {
            unsafe kernels.copyFloats(weights.pointer, payload, floats)
        }
        frame.seal(.weights(BenchFrame.address(step)), kernels)
        // The frame outlives its messages: two of them take turns, and a worker has the last one
        // before it pushes again.
        let message = frame.message(handler)
        for peer in peers {
            guard try socket.send(message.sharedCopy(), to: peer).isSent else {
                throw BenchError(.lostPeer, "a worker went away")
            }
        }
        peers.removeAll(keepingCapacity: true)
    }

    /// The weights, for the worker of the same process.
    func copyWeights(to target: UnsafeMutablePointer<Float>) {
        unsafe kernels.copyFloats(weights.pointer, target, floats)
    }

    /// Gives the last frames time to go out.
    func leave() throws {
        try socket.set(.lingerMilliseconds, to: 2_000)
    }
}
