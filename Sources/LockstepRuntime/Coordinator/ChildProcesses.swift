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
    }

    private struct Child {
        let process: Process
        let standardInput: Pipe
    }

    private struct State {
        var children: [Child] = []
        var exited: [Exited] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp

    /// Children that have not left by themselves get so long before they are killed.
    private static let patienceSeconds = 1.5

    package init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

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
        state.withLock { $0.children.append(Child(process: process, standardInput: standardInput)) }
    }

    private func ended(_ process: Process) {
        let status = process.terminationStatus
        let isSignal = process.terminationReason == .uncaughtSignal
        state.withLock { state in
            state.exited.append(
                Exited(
                    processID: process.processIdentifier,
                    cause: isSignal
                        ? "was killed by signal \(status)" : "exited with code \(status)",
                    exitCode: isSignal ? .lostPeer : ExitCode(rawValue: status) ?? .lostPeer,
                    wasNeeded: !state.isStopping && (isSignal || status != 0)))
        }
        wakeUp.signal()
    }

    package func takeExited() -> [Exited] {
        state.withLock { state in
            defer { state.exited = [] }
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
