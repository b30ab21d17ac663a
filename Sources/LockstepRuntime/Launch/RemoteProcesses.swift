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
        var processes: [SpawnedProcess] = []
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
        let (standardInput, standardError) = (
            SpawnedProcess.makePipe(), SpawnedProcess.makePipe()
        )
        let index = state.withLock { state in
            state.inputs.append(standardInput)
            return state.inputs.count - 1
        }
        let everythingIsSaid = DispatchSemaphore(value: 0)
        let process = try SpawnedProcess(
            command, input: standardInput.fileHandleForReading, output: output,
            error: standardError.fileHandleForWriting
        ) { [self] _, end in
            // Whoever hears of the end points to what was said before it.
            _ = everythingIsSaid.wait(timeout: .now() + Self.lastWordsPatience)
            state.withLock { $0.ended.append(Ended(index: index, status: end.status)) }
            changed.signal()
        }
        state.withLock { $0.processes.append(process) }
        // So that they close with the process.
        try? standardInput.fileHandleForReading.close()
        try? standardError.fileHandleForWriting.close()
        Thread.detachNewThread { [say] in
            LineReader.read(standardError.fileHandleForReading) { say(index, $0) }
            everythingIsSaid.signal()
        }
        // One that has ended already says so by its end.
        try? standardInput.fileHandleForWriting.write(contentsOf: input)
    }

    /// Longer only where something that the process started holds its standard error open.
    private static let lastWordsPatience = DispatchTimeInterval.milliseconds(500)

    /// Passes a signal on.
    package func send(_ signal: Int32) {
        for input in state.withLock({ $0.inputs }) {
            try? input.fileHandleForWriting.write(contentsOf: [UInt8(truncatingIfNeeded: signal)])
        }
    }

    /// Asks ssh itself to end.
    package func terminate(_ index: Int) {
        state.withLock { $0.processes.indices.contains(index) ? $0.processes[index] : nil }?
            .terminate()
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
        let deadline = ContinuousClock.now + .milliseconds(patienceMilliseconds)
        for process in state.withLock({ $0.processes })
        where !process.waits(milliseconds: deadline.millisecondsLeft) {
            process.terminate()
        }
    }
}
