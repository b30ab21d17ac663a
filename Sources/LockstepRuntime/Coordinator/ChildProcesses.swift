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
        let process: Process
        let standardInput: Pipe
        /// It was asked to leave.
        var isRetired = false
    }

    private struct State {
        var children: [Child] = []
        var exited: [Exited] = []
        var replacements: [Date] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp
    private let secret: [UInt8]

    /// Children that have not left by themselves get so long before they are killed.
    private static let patienceSeconds = 1.5

    /// - Parameter secret: what each is told first, through its standard input.
    package init(wakeUp: WakeUp, secret: [UInt8] = []) {
        self.wakeUp = wakeUp
        self.secret = secret
        // A child that has died already does not take this process with it.
        if !secret.isEmpty { _ = signal(SIGPIPE, SIG_IGN) }
    }

    package func start(_ command: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        let standardInput = Pipe()
        process.standardInput = standardInput
        // Standard output belongs to results.
        process.standardOutput = FileHandle.standardError
        process.terminationHandler = { [weak self] process in self?.ended(process) }
        do {
            try process.run()
        } catch {
            throw RoleError(
                .internalError, "cannot start a worker with \(command[0]): \(error)")
        }
        // One that has ended already says so by its end.
        try? standardInput.fileHandleForWriting.write(contentsOf: secret)
        state.withLock { $0.children.append(Child(process: process, standardInput: standardInput)) }
    }

    private func ended(_ process: Process) {
        let status = process.terminationStatus
        let isSignal = process.terminationReason == .uncaughtSignal
        let exitCode = isSignal ? .lostPeer : ExitCode(rawValue: status) ?? .lostPeer
        state.withLock { state in
            let isRetired = state.children.contains {
                $0.process.processIdentifier == process.processIdentifier && $0.isRetired
            }
            state.exited.append(
                Exited(
                    processID: process.processIdentifier,
                    cause: isSignal
                        ? "was killed by signal \(status)" : "exited with code \(status)",
                    exitCode: exitCode,
                    wasNeeded: !state.isStopping && !isRetired && (isSignal || status != 0),
                    isHopeless: exitCode != .lostPeer && exitCode != .unavailable))
        }
        wakeUp.signal()
    }

    /// Those that have not been asked to leave.
    package var count: Int { state.withLock { $0.children.count { !$0.isRetired } } }

    /// Asks the newest to leave.
    package func retire(_ count: Int) {
        state.withLock { state in
            let active = state.children.indices.filter { !state.children[$0].isRetired }
            for index in active.suffix(count) {
                state.children[index].isRetired = true
                kill(state.children[index].process.processIdentifier, SIGTERM)
            }
        }
    }

    /// Starts another in the place of one that was lost; a machine that loses one after the other
    /// gets no more.
    ///
    /// - Returns: whether there is one.
    package func replace(_ command: [String]) throws -> Bool {
        let now = Date()
        let mayReplace = state.withLock { state in
            state.replacements.removeAll { now.timeIntervalSince($0) > Self.replacementSeconds }
            guard !state.isStopping, state.replacements.count < Self.maximumReplacements else {
                return false
            }
            state.replacements.append(now)
            return true
        }
        if mayReplace { try start(command) }
        return mayReplace
    }

    /// More in so many seconds are no accident.
    private static let maximumReplacements = 20
    private static let replacementSeconds = 60.0

    package func takeExited() -> [Exited] {
        state.withLock { state in
            defer { state.exited = [] }
            state.children.removeAll { child in
                state.exited.contains { $0.processID == child.process.processIdentifier }
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
        let deadline = Date(timeIntervalSinceNow: Self.patienceSeconds)
        for child in children { try? child.standardInput.fileHandleForWriting.close() }
        for child in children {
            while child.process.isRunning, Date() < deadline { usleep(5_000) }
            if child.process.isRunning { kill(child.process.processIdentifier, SIGKILL) }
            child.process.waitUntilExit()
        }
    }
}
