import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A server of the exchange: a process that `transport` starts.
struct ExchangeServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange-server", shouldDisplay: false)

    @Option var workers: Int
    @Option var floats: Int
    @Option var steps: Int

    func run() throws {
        exitWithStandardInput()
        let server = try ExchangeServer(workers: workers, floats: floats)
        print(server.endpoint)
        fflush(nil)
        for step in 0..<steps { try server.advance(step) }
        try server.leave()
    }
}

/// Sums the workers' vectors, takes a step of plain descent, and sends all of them the same frame.
private final class ExchangeServer {
    private let kernels: KernelSet
    private let context: Context
    private let socket: Socket
    private var poller = Poller()
    private let member: Poller.Member
    private var peers: [RoutingID] = []
    private var pushes: [Slot]
    private let sum: FloatBuffer
    private let weights: FloatBuffer
    /// Workers still read the last frame while the next one is made.
    private let frames: [BenchFrame]
    private let floats: Int
    let endpoint: String

    private final class Slot {
        var message = Message()
    }

    init(workers: Int, floats: Int) throws {
        kernels = try .selected()
        self.floats = floats
        context = try Context()
        socket = try Socket(.router, in: context)
        try socket.configureForExchange(floatCount: floats)
        endpoint = try socket.bind(to: Endpoint("tcp://127.0.0.1:*")).text
        member = poller.add(socket)
        pushes = (0..<workers).map { _ in Slot() }
        sum = FloatBuffer(count: floats)
        weights = FloatBuffer(count: floats)
        frames = (0..<2).map { _ in BenchFrame(floatCount: floats) }
    }

    func advance(_ step: Int) throws {
        peers.removeAll(keepingCapacity: true)
        while peers.count < pushes.count {
            switch try socket.receiveRouted(into: &pushes[peers.count].message) {
            case .message(let sender):
                try kernels.verify(pushes[peers.count].message)
                peers.append(sender)
            case .malformed: continue
            case .nothing:
                guard try poller.wait(timeoutMilliseconds: 20_000) > 0 else {
                    throw BenchError(.lostPeer, "no push came for 20 s")
                }
            }
        }
        unsafe update()
        let frame = frames[step % 2]
        if let payload = unsafe frame.payload.baseAddress {
            unsafe kernels.copyFloats(weights.pointer, payload, floats)
        }
        frame.seal(.weights(BenchFrame.address(step)), kernels)
        // The frame outlives its messages: two of them take turns, and a worker has the last one
        // before it pushes again.
        let handler = ReleaseHandler {}
        let message = frame.message(handler)
        for peer in peers {
            guard try socket.send(message.sharedCopy(), to: peer).isSent else {
                throw BenchError(.lostPeer, "a worker went away")
            }
        }
    }

    @unsafe private func update() {
        for (index, push) in pushes.enumerated() {
            unsafe push.message.withUnsafeBytes { frame in
                let payload = unsafe FrameCodec.payload(of: frame)
                guard let start = payload.baseAddress else { return }
                if index == 0 {
                    unsafe kernels.copyFloats(start, sum.pointer, floats)
                } else {
                    unsafe kernels.fold(sum.pointer, start, into: sum.pointer, count: floats)
                }
            }
        }
        _ = unsafe kernels.gradientDescent(
            floats, sum.pointer, 1, 0.01, 0, weights.pointer, weights.pointer)
    }

    /// Gives the last frames time to go out.
    func leave() throws {
        try socket.set(.lingerMilliseconds, to: 2_000)
    }
}

/// Ends this process with the one that started it: the other end of standard input is there.
func exitWithStandardInput() {
    Thread.detachNewThread {
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count == 0 || (count < 0 && errno != EINTR) { _exit(ExitCode.lostPeer.rawValue) }
        }
    }
}
