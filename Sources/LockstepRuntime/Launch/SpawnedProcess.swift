package import Foundation
import LockstepProtocol
import Synchronization

/// A program that runs beside this one, found by `PATH`.
///
/// Foundation's `Process` takes a program for ended as soon as it closes the files that it did not
/// open, which ssh does first of all, and then waits for it in the thread that watches all others.
package final class SpawnedProcess: Sendable {
    private let processID: pid_t
    private let hasEnded = Mutex(false)
    private let end = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - command: the program and its arguments.
    ///   - input: its standard input; with it the two that follow, all of its files.
    ///   - ended: told once of its exit code, 128 and the signal where one has ended it, in a thread
    ///     of its own.
    /// - Throws: ``RoleError`` with `unavailable`.
    package init(
        _ command: [String], input: FileHandle, output: FileHandle, error: FileHandle,
        ended: @escaping @Sendable (Int32) -> Void = { _ in }
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
            &spawned, command[0], &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            throw RoleError(
                .unavailable,
                "cannot start \(command[0]): \(unsafe String(cString: strerror(code)))")
        }
        let processID = spawned
        self.processID = processID
        Thread.detachNewThread { [self] in
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
            ended(signal == 0 ? (status >> 8) & 0xff : 128 + signal)
            end.signal()
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
    package func terminate() {
        hasEnded.withLock { if !$0 { kill(processID, SIGTERM) } }
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
