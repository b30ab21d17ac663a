package import Foundation
import Synchronization

/// Processes on other hosts, started over ssh, that never outlive this one.
///
/// Each hangs on the pipe that is its standard input. Through it comes first what it needs to be
/// told in secret, then a byte for each signal; when it closes, the process ends.
package final class RemoteProcesses: Sendable {
    package struct Ended: Sendable {
        package let index: Int
        /// As ssh says: 255 where there was no connection, or it broke.
        package let status: Int32
    }

    private struct State {
        var processes: [Process] = []
        var inputs: [Pipe] = []
        var ended: [Ended] = []
    }

    private let state = Mutex(State())
    private let changed = DispatchSemaphore(value: 0)
    private let say: @Sendable (_ index: Int, _ line: String) -> Void

    /// - Parameter say: is told each line that a process writes to its standard error.
    package init(say: @escaping @Sendable (_ index: Int, _ line: String) -> Void) { self.say = say }

    /// - Parameters:
    ///   - command: ssh, its options, the host and what it runs there.
    ///   - input: what the process is told first.
    ///   - output: takes its standard output.
    package func start(_ command: [String], input: [UInt8], output: FileHandle) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let (standardInput, standardError) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = standardError
        let index = state.withLock { state in
            state.processes.append(process)
            state.inputs.append(standardInput)
            return state.processes.count - 1
        }
        process.terminationHandler = { [self] process in
            let isSignal = process.terminationReason == .uncaughtSignal
            let status = isSignal ? 128 + process.terminationStatus : process.terminationStatus
            state.withLock { $0.ended.append(Ended(index: index, status: status)) }
            changed.signal()
        }
        try process.run()
        Thread.detachNewThread { [say] in
            var rest: [UInt8] = []
            let handle = standardError.fileHandleForReading
            while case let data = handle.availableData, !data.isEmpty {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    say(index, String(decoding: rest[..<end], as: UTF8.self))
                    rest.removeSubrange(...end)
                }
            }
            if !rest.isEmpty { say(index, String(decoding: rest, as: UTF8.self)) }
        }
        // One that has ended already says so by its end.
        try? standardInput.fileHandleForWriting.write(contentsOf: input)
    }

    /// Passes a signal on.
    package func send(_ signal: Int32) {
        for input in state.withLock({ $0.inputs }) {
            try? input.fileHandleForWriting.write(contentsOf: [UInt8(truncatingIfNeeded: signal)])
        }
    }

    /// Waits for the next one that ends; nil where that takes longer.
    package func next(withinMilliseconds milliseconds: Int) -> Ended? {
        guard changed.wait(timeout: .now() + .milliseconds(milliseconds)) == .success else {
            return nil
        }
        return state.withLock { $0.ended.removeFirst() }
    }

    /// Closes the pipes of all, so that they end, and in the end ssh itself.
    package func end(patienceMilliseconds: Int) {
        for input in state.withLock({ $0.inputs }) { try? input.fileHandleForWriting.close() }
        let deadline = Date(timeIntervalSinceNow: Double(patienceMilliseconds) / 1_000)
        let processes = state.withLock { $0.processes }
        while processes.contains(where: \.isRunning), Date() < deadline { usleep(10_000) }
        for process in processes where process.isRunning { process.terminate() }
    }
}
