package import Foundation
import Synchronization

/// A program that is watched while it runs. It is killed when its owner lets go of it.
package final class RunningTool: Sendable {
    /// One of its streams, read by a thread of its own so that no pipe ever fills up.
    private final class Stream: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        private let ended = DispatchSemaphore(value: 0)

        init(_ pipe: Pipe) {
            // The reading end belongs to the thread, whatever becomes of the process.
            Thread.detachNewThread { [self] in
                let handle = pipe.fileHandleForReading
                while case let data = handle.availableData, !data.isEmpty {
                    bytes.withLock { $0 += data }
                }
                ended.signal()
            }
        }

        var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

        /// Waits until every process that writes to the stream is gone.
        func waitForEnd(until deadline: DispatchTime) {
            if ended.wait(timeout: deadline) == .success { ended.signal() }
        }
    }

    private struct Exit {
        let status: Int32
        let time: Date
    }

    package let processID: Int32
    private let output: Stream
    private let error: Stream
    private let exit = Mutex<Exit?>(nil)
    private let exited = DispatchSemaphore(value: 0)

    /// - Parameter environment: all of it.
    package init(
        _ executable: URL, _ arguments: [String] = [], environment: [String: String]
    ) throws {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        let box = Box()
        process.terminationHandler = { process in
            let status =
                process.terminationReason == .exit ? process.terminationStatus : -1
            box.ended(Exit(status: status, time: Date()))
        }
        try process.run()
        processID = process.processIdentifier
        self.output = Stream(output)
        self.error = Stream(error)
        box.tell { [weak self] in self?.ended($0) }
    }

    deinit { if exit.withLock({ $0 == nil }) { kill(processID, SIGKILL) } }

    /// Hands the exit on, which may come before there is anybody to hand it to.
    private final class Box: Sendable {
        private struct State {
            var exit: Exit?
            var handler: (@Sendable (Exit) -> Void)?
        }

        private let state = Mutex(State())

        func ended(_ exit: Exit) {
            let handler = state.withLock { state in
                state.exit = exit
                return state.handler
            }
            handler?(exit)
        }

        func tell(_ handler: @escaping @Sendable (Exit) -> Void) {
            let exit = state.withLock { state in
                state.handler = handler
                return state.exit
            }
            if let exit { handler(exit) }
        }
    }

    private func ended(_ end: Exit) {
        exit.withLock { $0 = end }
        exited.signal()
    }

    // MARK: While it runs

    package var standardOutput: String { output.text }
    package var standardError: String { error.text }
    package var isRunning: Bool { exit.withLock { $0 == nil } }

    package func send(_ signal: Int32) { kill(processID, signal) }

    /// Waits until standard error holds `text`; false where it does not come in time.
    package func says(_ text: String, within seconds: Double = patienceSeconds) -> Bool {
        eventually(within: seconds) { standardError.contains(text) }
    }

    // MARK: Its end

    /// When it ended; nil while it runs.
    package var endTime: Date? { exit.withLock { $0?.time } }

    /// Waits for the end, and kills the program where it does not come in time (status −1 then).
    package func end(within seconds: Double = patienceSeconds) -> ToolRun {
        if exited.wait(timeout: .now() + seconds) != .success {
            kill(processID, SIGKILL)
            exited.wait()
        }
        exited.signal()
        // What it had started may hold the streams for a while longer.
        let deadline = DispatchTime.now() + patienceSeconds
        output.waitForEnd(until: deadline)
        error.waitForEnd(until: deadline)
        return ToolRun(
            status: exit.withLock { $0?.status ?? -1 }, standardOutput: output.text,
            standardError: error.text)
    }
}

/// No wait of these tests is longer: generous on a busy machine, and a failure when it is reached.
package let patienceSeconds = 30.0

/// Asks again and again until the time is up.
package func eventually(
    within seconds: Double = patienceSeconds, _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
        if try condition() { return true }
        usleep(2_000)
    }
    return try condition()
}

/// Whether a process is there and not merely waiting to be reaped.
package func isAlive(_ processID: Int32) -> Bool {
    let path = "/proc/\(processID)/stat"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
    // The name in parentheses may hold anything; the state follows it.
    return text.split(separator: ")").last?.dropFirst().first.map { $0 != "Z" } ?? false
}
