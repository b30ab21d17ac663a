package import Foundation
import LockstepProtocol
import Synchronization

/// A program that runs beside this one.
///
/// Foundation's `Process` takes a program for ended as soon as it closes the files that it did not
/// open, which ssh does first of all, and then waits for it in the thread that watches all others.
package final class SpawnedProcess: Sendable {
    /// How a process ended.
    package enum End: Hashable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)

        /// As shells have it: 128 and the signal where one has ended it.
        package var status: Int32 {
            switch self {
            case .exited(let code): code
            case .killed(let signal): 128 + signal
            }
        }
    }

    package let processID: pid_t
    private let hasEnded = Mutex(false)
    private let end = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - command: the program, found by `PATH`, and its arguments.
    ///   - file: what is started under that name, if it is another.
    ///   - input: its standard input; with it the two that follow, all of its files.
    ///   - ended: told once how it ended, in a thread of its own.
    /// - Throws: ``RoleError`` with `unavailable` where the system has no room for another process
    ///   or thread, and where there is no such program.
    package init(
        _ command: [String], file: String? = nil, input: FileHandle, output: FileHandle,
        error: FileHandle, ended: @escaping @Sendable (pid_t, End) -> Void = { _, _ in }
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, handle) in [input, output, error].enumerated() {
            unsafe posix_spawn_file_actions_adddup2(
                &actions, handle.fileDescriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        // In a group of its own: Ctrl-C in this terminal is passed on by this process, and by
        // nobody else.
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { while let argument = unsafe arguments.popLast() { unsafe free(argument) } }
        var spawned: pid_t = 0
        let code = unsafe posix_spawnp(
            &spawned, file ?? command[0], &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            let isLimit = code == EAGAIN || code == ENOMEM
            throw RoleError(
                .unavailable,
                "cannot start \(command[0]): \(unsafe String(cString: strerror(code)))"
                    + (isLimit ? "; \(ThreadLimit.remedy)" : ""))
        }
        let processID = spawned
        self.processID = processID
        let isWatched = startThread(named: "child") { [self] in
            // Until it is reaped its number is nobody else's, and `terminate` reaches no other.
            var information = unsafe siginfo_t()
            while unsafe waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) < 0,
                errno == EINTR
            {}
            let status = hasEnded.withLock { hasEnded in
                var status: Int32 = 0
                _ = unsafe waitpid(processID, &status, 0)
                hasEnded = true
                return status
            }
            let signal = status & 0x7f
            ended(
                processID, signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal))
            end.signal()
        }
        guard isWatched else {
            kill(processID, SIGKILL)
            var status: Int32 = 0
            _ = unsafe waitpid(processID, &status, 0)
            throw RoleError(
                .unavailable,
                "no thread can be started to watch \(command[0]); \(ThreadLimit.remedy)")
        }
    }

    /// Waits for its end; false where it does not come in time.
    package func waits(milliseconds: Int) -> Bool {
        guard end.wait(timeout: .now() + .milliseconds(max(milliseconds, 0))) == .success else {
            return false
        }
        end.signal()
        return true
    }

    /// Asks it to end.
    package func terminate() { send(SIGTERM) }

    package func send(_ signal: Int32) {
        hasEnded.withLock { if !$0 { kill(processID, signal) } }
    }

    /// A pipe whose ends no other process inherits: it closes when those here have closed it.
    package static func makePipe() -> Pipe {
        let pipe = Pipe()
        for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        return pipe
    }
}

extension ContinuousClock.Instant {
    /// How long until then; 0 where it is over.
    var millisecondsLeft: Int {
        let left = self - .now
        return max(
            Int(left.components.seconds) * 1_000
                + Int(left.components.attoseconds / 1_000_000_000_000_000), 0)
    }
}
