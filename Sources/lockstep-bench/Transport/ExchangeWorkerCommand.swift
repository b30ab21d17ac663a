import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A worker of the exchange: a process that `transport` starts. Prints microseconds a step.
struct ExchangeWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange-worker", shouldDisplay: false)

    @Option(transform: { $0.split(separator: ",").map(String.init) })
    var endpoints: [String]

    /// Of each server.
    @Option var floats: NumberList
    @Option var steps: Int

    func run() throws {
        exitWithStandardInput()
        let kernels = try KernelSet.selected()
        let context = try Context()
        let connections = try zip(endpoints, floats.values).map { endpoint, count in
            try Connection(to: Endpoint(endpoint), in: context, floatCount: count)
        }
        // The first tenth warms up, as in zmq_floor.c.
        let warmUp = steps / 10
        var start = secondsNow()
        for step in 0..<steps {
            if step == warmUp { start = secondsNow() }
            for connection in connections { try connection.push(step, kernels) }
            for connection in connections { try connection.receive(kernels) }
        }
        print((secondsNow() - start) / Double(steps - warmUp) * 1e6)
    }
}

/// A worker's way to one server.
private final class Connection {
    private let socket: Socket
    private var poller = Poller()
    private let frame: BenchFrame
    private var answer = Message()
    private let handler = ReleaseHandler {}

    init(to endpoint: Endpoint, in context: Context, floatCount: Int) throws {
        socket = try Socket(.dealer, in: context)
        try socket.configureForExchange(floatCount: floatCount)
        try socket.connect(to: endpoint)
        _ = poller.add(socket)
        frame = BenchFrame(floatCount: floatCount)
        unsafe frame.payload.bindMemory(to: Float.self).update(repeating: 1)
    }

    /// The frame is written anew only after its answer, when libzmq has long sent it.
    func push(_ step: Int, _ kernels: KernelSet) throws {
        frame.seal(
            .push(BenchFrame.address(step), node: LeafRange(firstLeaf: 0, leafCount: 1)), kernels)
        guard try socket.send(frame.message(handler)).isSent else {
            throw BenchError(.lostPeer, "the queue to a server is full")
        }
    }

    func receive(_ kernels: KernelSet) throws {
        while true {
            switch try socket.receive(into: &answer) {
            case .message:
                try kernels.verify(answer)
                return
            case .malformed: continue
            case .nothing:
                guard try poller.wait(timeoutMilliseconds: 20_000) > 0 else {
                    throw BenchError(.lostPeer, "no weights came for 20 s")
                }
            }
        }
    }
}
