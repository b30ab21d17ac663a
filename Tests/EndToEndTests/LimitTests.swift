import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Limits of the system: each ends in a sentence and an exit code, none in a trap. The long
    /// form is `Scripts/limits`.
    @Suite struct LimitTests {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private var runPath: String { lockstep.folder.path("run") }

        private func train(_ limits: String, _ arguments: String) throws -> ToolRun {
            var environment = lockstep.environment
            environment["SWIFT_BACKTRACE"] = "enable=no"
            return try RunningTool(
                URL(fileURLWithPath: "/bin/bash"),
                [
                    "-c",
                    "\(limits); exec \(Lockstep.program.path) train --run-dir \(runPath) "
                        + arguments,
                ], environment: environment
            ).end(within: 60)
        }

        @Test func threadsThatTheSystemDoesNotGiveAreCounted() throws {
            let run = try train("ulimit -v 3000000", "--workers 0 --threads 1024 --epochs 1")
            #expect(run.status == 69, "\(run.standardError)")
            for word in ["of the 1036 threads", "ulimit -v", "--threads"] {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
        }

        @Test func moreThreadsThanCoresAreSaid() throws {
            let run = try train("true", "--workers 0 --threads 400 --epochs 1 --batch-size 2030")
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardError.contains("warning: --threads 400: this process may use"))
        }

        /// What a shell of other systems allows at first.
        @Test func aCommonLimitOfFilesIsEnough() throws {
            let run = try train("ulimit -n 256", "--epochs 1 --batch-size 500")
            #expect(run.status == 0, "\(run.standardError)")
        }

        /// Another process would meet the same limit.
        @Test func aWorkerThatTheSystemLimitsIsNotStartedAgain() throws {
            let run = try train("ulimit -n 70", "--epochs 1")
            #expect(run.status == 69, "\(run.standardError)")
            #expect(run.standardError.contains("RLIMIT_NOFILE"), "\(run.standardError)")
            #expect(!run.standardError.contains("takes its place"), "\(run.standardError)")
        }

        @Test(
            arguments: [
                "ulimit -n 6", "ulimit -n 8", "ulimit -n 20", "ulimit -n 40", "ulimit -v 130000",
                "ulimit -v 200000", "ulimit -v 300000", "ulimit -v 500000", "ulimit -d 60000",
                "ulimit -f 0", "ulimit -f 1", "ulimit -f 300",
            ], ["--workers 0", "--workers 2 --threads 16"])
        func noLimitEndsInATrap(limit: String, placement: String) throws {
            let run = try train(limit, "--epochs 2 --wait-timeout 10 \(placement)")
            let codes: [Int32] = [0, 69, 73, 75]
            #expect(codes.contains(run.status), "\(run.status): \(run.standardError)")
            if run.status != 0 {
                #expect(run.standardError.contains("Error: "), "\(run.standardError)")
            }
        }

        /// What a run will have to write is tried before it trains.
        @Test(arguments: ["--workers 0", "--workers 1"])
        func weightsThatCannotBeKeptAreNotTrained(placement: String) throws {
            let run = try train("ulimit -f 200", "--epochs 1 \(placement)")
            #expect(run.status == 73, "\(run.standardError)")
            #expect(run.message.contains("ulimit -f"), "\(run.standardError)")
            #expect(!run.standardError.contains("train loss"), "\(run.standardError)")
        }

        /// A scheduler's limit of CPU time.
        @Test func theLimitOfTimeIsAnOrderlyEnd() throws {
            let run = try train("ulimit -S -t 1", "--workers 0 --epochs 100000")
            #expect(run.status == 152, "\(run.standardError)")
            let records = try MetricsFile(reading: runPath + "/metrics.jsonl").records
            guard case .end(let end)? = records.last else { return #expect(Bool(false)) }
            #expect(end.status == .interrupted)
        }
    }
}
