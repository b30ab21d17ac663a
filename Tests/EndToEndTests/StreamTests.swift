import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Standard streams that take nothing, are closed, or are read by nobody.
    @Suite struct StreamTests {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private var runPath: String { lockstep.folder.path("run") }

        /// The program, with its streams as a shell has been told.
        private func shell(_ command: String, seconds: Double = patienceSeconds) throws -> ToolRun {
            try RunningTool(
                URL(fileURLWithPath: "/bin/bash"),
                ["-c", "set -o pipefail; L=\(Lockstep.program.path); R=\(runPath); \(command)"],
                environment: lockstep.environment
            ).end(within: seconds)
        }

        private var end: EndRecord? {
            get throws {
                let records = try MetricsFile(reading: runPath + "/metrics.jsonl").records
                if case .end(let end)? = records.last { return end }
                return nil
            }
        }

        @Test(arguments: ["--json > /dev/full", "> /dev/full", "--json >&-", "| true"])
        func aResultThatCannotBePrintedIsKept(output: String) throws {
            let run = try shell("$L train --workers 0 --epochs 1 --run-dir $R \(output)")
            #expect(run.status == 73, "\(run.standardError)")
            for word in ["standard output", "metrics.jsonl"] {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
            #expect(try end?.status == .completed)
        }

        @Test(arguments: [
            "--help", "--version", "report $R", "data show --count 2", "evaluate $R",
            "train --print-config", "compare --epochs 1 --workers 0",
            "sweep seed=1 --epochs 1 --run-dir $R/s",
        ])
        func nothingThatIsPrintedIsLostInSilence(command: String) throws {
            let trained = try shell("$L train --workers 0 --epochs 1 --run-dir $R")
            try #require(trained.status == 0)
            for output in ["> /dev/full", "| true"] {
                // The reader is gone before anything is written.
                let run = try shell("cd $R; (sleep 0.2; exec $L \(command)) \(output)")
                #expect(run.status == 73, "\(output): \(run.standardError)")
                #expect(run.message.contains("standard output"), "\(run.standardError)")
            }
        }

        /// Else the first file that is opened has the number of a stream, and what is printed goes
        /// into it.
        @Test(arguments: ["0", "2"])
        func whatIsPrintedGoesIntoNoOtherFile(workers: String) throws {
            let run = try shell(
                "$L train --workers \(workers) --epochs 2 --run-dir $R --json <&- >&- 2>&-")
            #expect(run.status == 73)
            let log = try String(contentsOfFile: runPath + "/metrics.jsonl", encoding: .utf8)
            for line in log.split(separator: "\n") {
                #expect(line.hasPrefix("{\"event\":"), "\(line)")
            }
            #expect(try end?.status == .completed)
        }

        /// A pipe that is full: lines may be lost, records not.
        @Test(arguments: ["0", "2"])
        func nobodyHasToReadStandardError(workers: String) throws {
            let pipe = try FullPipe()
            let process = Process()
            process.executableURL = Lockstep.program
            process.arguments = [
                "train", "--workers", workers, "--epochs", "20", "--log-level", "debug",
                "--run-dir",
                runPath,
            ]
            process.environment = lockstep.environment
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = pipe.writing
            try process.run()
            #expect(eventually { !process.isRunning })
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(try end?.status == .completed)
            withExtendedLifetime(pipe) {}
        }

        /// A pipe that has room for nothing, and whose reader never comes.
        private struct FullPipe {
            let reading: FileHandle
            let writing: FileHandle

            init() throws {
                var ends: [Int32] = [-1, -1]
                let made = unsafe pipe(&ends)
                try #require(made == 0)
                reading = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
                writing = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
                let flags = fcntl(ends[1], F_GETFL)
                _ = fcntl(ends[1], F_SETFL, flags | O_NONBLOCK)
                let bytes = [UInt8](repeating: 0x20, count: 4096)
                while unsafe write(ends[1], bytes, bytes.count) > 0 {}
                while unsafe write(ends[1], bytes, 1) > 0 {}
                _ = fcntl(ends[1], F_SETFL, flags)
            }
        }
    }
}
