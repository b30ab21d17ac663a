import Foundation
import LockstepProtocol
import LockstepRuntime

/// The signals that end a process, and the end of standard input.
enum Signals {
    /// The first SIGINT or SIGTERM asks for an orderly end; a second one ends the process at once.
    ///
    /// - Parameter ignoresInterrupt: for a process whose parent answers Ctrl-C for both.
    static func forward(to interruption: Interruption, ignoresInterrupt: Bool = false) {
        var ends: [Int32] = [-1, -1]
        // Neither end is for children.
        guard unsafe pipe(&ends) == 0,
            ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 })
        else {
            return Console.shared.say("warning: no pipe for signals: Ctrl-C ends without a goodbye")
        }
        let readEnd = ends[0]
        unsafe signalPipe = ends[1]
        Thread.detachNewThread { relay(from: readEnd, to: interruption) }
        if ignoresInterrupt {
            _ = signal(SIGINT, SIG_IGN)
        } else {
            handle(SIGINT)
        }
        handle(SIGTERM)
        unblock()
    }

    /// A mask is inherited: whoever started this process may have blocked the signals that end it,
    /// as threads of a pool do.
    private static func unblock() {
        var ends = sigset_t()
        unsafe sigemptyset(&ends)
        unsafe sigaddset(&ends, SIGINT)
        unsafe sigaddset(&ends, SIGTERM)
        unsafe pthread_sigmask(SIG_UNBLOCK, &ends, nil)
    }

    /// Ends the process when its parent is gone, however that happened: the other end of standard
    /// input is the parent's.
    static func exitWithStandardInput() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = unsafe read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) {
                    _exit(ExitCode.lostPeer.rawValue)
                }
            }
        }
    }

    /// Takes signals from standard input, a byte each, for a process that another host has started.
    /// When that is gone, this one ends in good order, or soon after.
    static func followStandardInput() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = unsafe read(STDIN_FILENO, &byte, 1)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                kill(getpid(), Int32(byte))
            }
            kill(getpid(), SIGTERM)
            sleep(UInt32(graceSeconds))
            _exit(ExitCode.lostPeer.rawValue)
        }
    }

    private static let graceSeconds = 10

    private static func handle(_ signal: Int32) {
        var action = sigaction()
        // Only write(2) and errno: all that is allowed here.
        unsafe action.__sigaction_handler.sa_handler = { number in
            let code = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = unsafe write(signalPipe, &byte, 1)
            errno = code
        }
        action.sa_flags = SA_RESTART
        unsafe sigaction(signal, &action, nil)
    }

    private static func relay(from descriptor: Int32, to interruption: Interruption) {
        var number: UInt8 = 0
        while unsafe read(descriptor, &number, 1) == 1 || errno == EINTR {
            let isInterrupt = Int32(number) == SIGINT
            let code: ExitCode = isInterrupt ? .interrupted : .terminated
            if interruption.reason != nil { _exit(code.rawValue) }
            interruption.request(
                StopReason(
                    code, isInterrupt ? "interrupted (SIGINT)" : "told to end (SIGTERM)"))
        }
    }
}

/// Set once, before the handlers that read it.
nonisolated(unsafe) private var signalPipe: Int32 = -1
