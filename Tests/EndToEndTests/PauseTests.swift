import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Time that no process has lived through, and work that takes longer than a lease.
    @Suite struct PauseTests {
        /// Longer than a lease.
        private static let pauseSeconds: UInt32 = 12

        /// A lid that is closed, a virtual machine that is moved: nobody judges the others by what
        /// it has slept through itself.
        @Test(arguments: [
            ["--servers", "auto"], ["--servers", "1", "--bind", "tcp://127.0.0.1:0"],
        ])
        func allProcessesSleepAndGoOn(placement: [String]) throws {
            let lockstep = try Lockstep()
            let training = ["--epochs", "2000", "--batch-size", "128"]
            let parent = try lockstep.start(
                [
                    "train", "--workers", "2", "--json", "--run-dir", lockstep.folder.path("run"),
                ] + training + placement)
            let processes = [parent.processID] + (try parent.workers(2))
            try #require(parent.says("train loss"), "\(parent.standardError)")
            for process in processes { kill(process, SIGSTOP) }
            sleep(Self.pauseSeconds)
            let epochs = parent.epochCount
            #expect(parent.isRunning)
            for process in processes { kill(process, SIGCONT) }
            #expect(eventually { parent.epochCount > epochs + 10 }, "\(parent.standardError)")
            for word in ["silent", "left:", "joining again"] {
                #expect(!parent.standardError.contains(word), "\(parent.standardError)")
            }
            parent.send(SIGTERM)
            #expect(parent.end().status == 143)
        }

        /// One node of so many operations keeps a slow core busy for longer than a lease.
        @Test func aLongNodeKeepsNobodyFromItsHeartbeat() throws {
            let lockstep = try Lockstep()
            let run = try lockstep.start(
                [
                    "train", "--workers", "1", "--layers", "784,1400,1400,10", "--batch-size",
                    "2030",
                    "--epochs", "1", "--json", "--run-dir", lockstep.folder.path("run"),
                ], ["LOCKSTEP_KERNELS": "baseline"]
            ).end(within: 240)
            #expect(run.status == 0, "\(run.standardError)")
            for word in ["silent", "left:"] {
                #expect(!run.standardError.contains(word), "\(run.standardError)")
            }
        }
    }
}
