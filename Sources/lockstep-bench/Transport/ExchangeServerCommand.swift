import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A server of the exchange: a process that `transport` starts.
struct ExchangeServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange-server", shouldDisplay: false)

    @Option var bind: String
    @Option var workers: Int
    @Option var floats: Int
    @Option var steps: Int

    func run() throws {
        exitWithStandardInput()
        let shard = try ExchangeShard(
            at: bind, in: try Context(), peerCount: workers, floats: floats, .selected())
        var poller = Poller()
        _ = shard.watch(&poller)
        print(shard.endpoint)
        fflush(nil)
        for step in 0..<steps {
            var isFirst = true
            while !shard.hasAllPushes {
                if try shard.receive(isFirst: isFirst) {
                    isFirst = false
                } else if try poller.wait(timeoutMilliseconds: 20_000) == 0 {
                    throw BenchError(.lostPeer, "no push came for 20 s")
                }
            }
            try shard.answer(step)
        }
        try shard.leave()
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
