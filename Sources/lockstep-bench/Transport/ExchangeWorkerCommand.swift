import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
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
        var poller = Poller()
        let connections = try zip(endpoints, floats.values).map { endpoint, count in
            let connection = try ExchangeConnection(to: endpoint, in: context, floatCount: count)
            _ = connection.watch(&poller)
            return connection
        }
        // The first tenth warms up, as in zmq_floor.c.
        let warmUp = steps / 10
        var start = secondsNow()
        for step in 0..<steps {
            if step == warmUp { start = secondsNow() }
            for connection in connections { try connection.push(step, kernels) }
            for connection in connections {
                while !(try unsafe connection.receive(kernels, into: nil)) {
                    guard try poller.wait(timeoutMilliseconds: 20_000) > 0 else {
                        throw BenchError(.lostPeer, "no weights came for 20 s")
                    }
                }
            }
        }
        print((secondsNow() - start) / Double(steps - warmUp) * 1e6)
    }
}
