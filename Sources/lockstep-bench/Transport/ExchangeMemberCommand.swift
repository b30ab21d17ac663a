import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A worker of the exchange that also serves a part of the vector: a process that `transport`
/// starts. Reads the endpoints of all on a line of standard input; prints its own endpoint, then
/// microseconds a step. Does what `zmq_colocated.c` does, with frames.
struct ExchangeMemberCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange-member", shouldDisplay: false)

    @Option var bind: String
    /// Its number, from 0.
    @Option var member: Int
    /// Of each member.
    @Option var floats: NumberList
    @Option var steps: Int

    func run() throws {
        let kernels = try KernelSet.selected()
        let context = try Context()
        let counts = floats.values
        let shard = try ExchangeShard(
            at: bind, in: context, peerCount: counts.count - 1, floats: counts[member], kernels)
        print(shard.endpoint)
        fflush(nil)
        let endpoints = (readLine() ?? "").split(separator: ",").map(String.init)
        guard endpoints.count == counts.count else {
            throw BenchError(.usage, "an endpoint for each member is needed")
        }
        exitWithStandardInput()
        var poller = Poller()
        _ = shard.watch(&poller)
        let others = try endpoints.indices.filter { $0 != member }.map { index in
            let connection = try ExchangeConnection(
                to: endpoints[index], in: context, floatCount: counts[index])
            _ = connection.watch(&poller)
            return (connection: connection, first: counts[..<index].reduce(0, +))
        }
        let own = FloatBuffer([Float](repeating: 1, count: counts[member]))
        let weights = FloatBuffer(count: counts.reduce(0, +))
        let ownFirst = counts[..<member].reduce(0, +)
        let warmUp = steps / 10
        var start = secondsNow()
        for step in 0..<steps {
            if step == warmUp { start = secondsNow() }
            for other in others { try other.connection.push(step, kernels) }
            unsafe shard.begin(with: own.pointer)
            var hasAnswered = false
            var waiting = others
            while !hasAnswered || !waiting.isEmpty {
                var isIdle = true
                if !hasAnswered {
                    while !shard.hasAllPushes, try shard.receive(isFirst: false) { isIdle = false }
                    if shard.hasAllPushes {
                        try shard.answer(step)
                        unsafe shard.copyWeights(to: weights.pointer + ownFirst)
                        hasAnswered = true
                    }
                }
                let count = waiting.count
                try waiting.removeAll {
                    try unsafe $0.connection.receive(kernels, into: weights.pointer + $0.first)
                }
                if isIdle, waiting.count == count, !hasAnswered || !waiting.isEmpty,
                    try poller.wait(timeoutMilliseconds: 20_000) == 0
                {
                    throw BenchError(.lostPeer, "nothing came for 20 s")
                }
            }
        }
        let time = (secondsNow() - start) / Double(steps - warmUp) * 1e6
        try shard.leave()
        print(time)
    }
}
