import Foundation
package import LockstepProtocol
import Synchronization
package import ZeroMQ

/// Worker processes of this host that belong to one session, and never outlive it.
///
/// Each has a pipe from this process as its standard input, which closes when this process ends,
/// however it ends: the worker then leaves.
package final class ChildProcesses: Sendable {
    package struct Exited: Hashable, Sendable {
        package let processID: Int32
        package let cause: String
        package let exitCode: ExitCode
        package let wasNeeded: Bool
        /// Whether another in its place would fail alike.
        package let isHopeless: Bool
    }

    private struct Child {
        let process: SpawnedProcess
        let standardInput: Pipe
        /// It was asked to leave.
        var isRetired = false
    }

    private struct State {
        var children: [Child] = []
        var exited: [Exited] = []
        var replacements: [ContinuousClock.Instant] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp
    private let secret: [UInt8]
    private let wait: Duration

    /// Children that have not left by themselves get so long before they are killed.
    private static let patienceSeconds = 1.5

    /// - Parameters:
    ///   - secret: what each is told first, through its standard input.
    ///   - wait: how long each waits for its coordinator. What it lacks sooner is not that, and
    ///     another would lack it too.
    package init(wakeUp: WakeUp, secret: [UInt8] = [], wait: Duration = .zero) {
        self.wakeUp = wakeUp
        self.secret = secret
        self.wait = wait
        // A child that has died already does not take this process with it.
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// - Parameter file: what is started under the name that `command` begins with, if it is
    ///   another.
    /// - Throws: ``RoleError`` with `unavailable`.
    package func start(_ command: [String], file: String? = nil) throws {
        let standardInput = SpawnedProcess.makePipe()
        let start = ContinuousClock.now
        let process = try SpawnedProcess(
            command, file: file, input: standardInput.fileHandleForReading,
            // Standard output belongs to results.
            output: .standardError, error: .standardError
        ) { [weak self] processID, end in self?.ended(processID, end, since: start) }
        // So that it closes with the process.
        try? standardInput.fileHandleForReading.close()
        // One that has ended already says so by its end.
        try? standardInput.fileHandleForWriting.write(contentsOf: secret)
        state.withLock { $0.children.append(Child(process: process, standardInput: standardInput)) }
    }

    private func ended(
        _ processID: pid_t, _ end: SpawnedProcess.End, since start: ContinuousClock.Instant
    ) {
        let (exitCode, cause): (ExitCode, String) =
            switch end {
            case .exited(let code):
                (ExitCode(rawValue: code) ?? .lostPeer, "exited with code \(code)")
            case .killed(let signal): (.lostPeer, "was killed by signal \(signal)")
            }
        let isHopeless =
            exitCode == .unavailable
            ? start.duration(to: .now) < wait : exitCode != .lostPeer
        state.withLock { state in
            let isRetired = state.children.contains {
                $0.process.processID == processID && $0.isRetired
            }
            state.exited.append(
                Exited(
                    processID: processID, cause: cause, exitCode: exitCode,
                    wasNeeded: !state.isStopping && !isRetired && end != .exited(0),
                    isHopeless: isHopeless))
        }
        wakeUp.signal()
    }

    /// Those that have not been asked to leave.
    package var count: Int { state.withLock { $0.children.count { !$0.isRetired } } }

    /// Asks the newest to leave, through the pipe: a signal may come from elsewhere, and is put
    /// off.
    package func retire(_ count: Int) {
        state.withLock { state in
            let active = state.children.indices.filter { !state.children[$0].isRetired }
            for index in active.suffix(count) {
                state.children[index].isRetired = true
                try? state.children[index].standardInput.fileHandleForWriting.write(
                    contentsOf: [UInt8(SIGTERM)])
            }
        }
    }

    /// Starts another in the place of one that was lost; a machine that loses one after the other
    /// gets no more.
    ///
    /// - Returns: whether there is one.
    package func replace(_ command: [String], file: String? = nil) throws -> Bool {
        let now = ContinuousClock.now
        let mayReplace = state.withLock { state in
            state.replacements.removeAll { now - $0 > .seconds(Self.replacementSeconds) }
            guard !state.isStopping, state.replacements.count < Self.maximumReplacements else {
                return false
            }
            state.replacements.append(now)
            return true
        }
        if mayReplace { try start(command, file: file) }
        return mayReplace
    }

    /// More in so many seconds are no accident.
    private static let maximumReplacements = 20
    private static let replacementSeconds = 60.0

    package func takeExited() -> [Exited] {
        state.withLock { state in
            defer { state.exited = [] }
            state.children.removeAll { child in
                state.exited.contains { $0.processID == child.process.processID }
            }
            return state.exited
        }
    }

    /// Waits for the children to leave, then ends them.
    package func stop() {
        let children = state.withLock { state in
            state.isStopping = true
            return state.children
        }
        // A deadline that does not move where the wall clock is set.
        let deadline = ContinuousClock.now + .seconds(Self.patienceSeconds)
        for child in children { try? child.standardInput.fileHandleForWriting.close() }
        for child in children {
            if child.process.waits(milliseconds: deadline.millisecondsLeft) { continue }
            child.process.send(SIGKILL)
            // One that waits for a dead disk does not even die.
            _ = child.process.waits(milliseconds: Self.killMilliseconds)
        }
    }

    private static let killMilliseconds = 5_000
}
