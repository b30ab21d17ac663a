import CLinux
import Foundation
import LockstepProtocol
import LockstepRuntime

/// The signals that end a process or ask it for a checkpoint, and the end of standard input.
enum Signals {
    /// Whom a process answers to.
    enum Kind {
        /// A person, a launcher or a supervisor, who may ask for checkpoints.
        case command
        /// The same, and it has none to write.
        case member
        /// The process that has started it, which answers for both: see ``followParent(to:)``.
        case child
    }

    /// SIGUSR1 and SIGUSR2 mean nothing to whoever has no checkpoint to write, and end nobody.
    static func ignoreRequestsForCheckpoints() {
        for request in requests { _ = signal(request, SIG_IGN) }
    }

    /// The first SIGINT, SIGTERM, SIGHUP or SIGXCPU asks for an orderly end; SIGINT or SIGTERM once
    /// more ends the process at once. SIGUSR1 and SIGUSR2 ask for a checkpoint, and training goes
    /// on. SIGHUP stays ignored where it was, as by nohup.
    static func forward(to interruption: Interruption, as kind: Kind = .command) {
        var ends: [Int32] = [-1, -1]
        // Neither end is for children.
        guard unsafe pipe(&ends) == 0,
            ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 })
        else {
            return Console.shared.say("warning: no pipe for signals: Ctrl-C ends without a goodbye")
        }
        let readEnd = ends[0]
        unsafe signalPipe = ends[1]
        guard
            startThread(named: "signals", { relay(from: readEnd, to: interruption, as: kind) })
        else {
            return Console.shared.say(
                "warning: no thread for signals: Ctrl-C ends without a goodbye")
        }
        switch kind {
        case .command:
            handle(SIGINT)
            for request in requests { handle(request) }
        case .member: handle(SIGINT)
        case .child: _ = signal(SIGINT, SIG_IGN)
        }
        handle(SIGTERM)
        handle(SIGXCPU)
        if !isIgnored(SIGHUP) { handle(SIGHUP) }
        unblock()
    }

    private static let requests = [SIGUSR1, SIGUSR2]

    /// A mask is inherited: whoever started this process may have blocked the signals that end it,
    /// as threads of a pool do.
    private static func unblock() {
        var ends = sigset_t()
        unsafe sigemptyset(&ends)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGXCPU] + requests {
            unsafe sigaddset(&ends, signal)
        }
        unsafe pthread_sigmask(SIG_UNBLOCK, &ends, nil)
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        unsafe sigaction(signal, nil, &action)
        let handler = unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        let ignore = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
        return handler == ignore
    }

    // MARK: Whoever has started this process

    /// Takes from standard input what the parent asks for, a byte for each signal, and ends the
    /// process when the parent is gone, however that happened: the other end is the parent's.
    static func followParent(to interruption: Interruption) {
        // Also where this process is stopped and reads nothing.
        lockstep_end_with_parent()
        // It was started from a file of another name.
        unsafe lockstep_set_name("lockstep")
        Thread.detachNewThread {
            readBytes { interruption.request(reason(Int32($0))) }
            _exit(ExitCode.lostPeer.rawValue)
        }
    }

    /// Takes signals from standard input, a byte each, for a process that another host has started.
    /// When that is gone, this one ends in good order, or soon after.
    static func followStandardInput() {
        Thread.detachNewThread {
            readBytes { kill(getpid(), Int32($0)) }
            kill(getpid(), SIGTERM)
            sleep(UInt32(graceSeconds))
            _exit(ExitCode.lostPeer.rawValue)
        }
    }

    private static let graceSeconds = 10

    private static func readBytes(_ body: (UInt8) -> Void) {
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            body(byte)
        }
    }

    // MARK: Handlers

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

    /// A signal may come more than once for one reason: a terminal's and its shell's, a
    /// supervisor's and a launcher's. Only one that comes later is impatience.
    private static let impatience = Duration.milliseconds(500)

    /// What is sent to all processes of a group reaches the parent, too, which ends the session in
    /// good order. A child to whom it was sent alone leaves after so long.
    private static let deferral = Duration.seconds(3)

    private static func relay(
        from descriptor: Int32, to interruption: Interruption, as kind: Kind
    ) {
        var number: UInt8 = 0
        var first: ContinuousClock.Instant?
        while unsafe read(descriptor, &number, 1) == 1 || errno == EINTR {
            let signal = Int32(number)
            if requests.contains(signal) {
                Console.shared.say(
                    "\(name(signal)): a checkpoint is written, and training continues")
                interruption.requestCheckpoint()
                continue
            }
            let reason = reason(signal)
            if let first {
                if signal == SIGINT || signal == SIGTERM, .now - first > impatience {
                    _exit(reason.exitCode.rawValue)
                }
                continue
            }
            first = .now
            switch kind {
            case .command, .member: interruption.request(reason)
            case .child:
                let isStarted = startThread(named: "deferral") {
                    usleep(UInt32(deferral.components.seconds) * 1_000_000)
                    interruption.request(reason)
                }
                if !isStarted { interruption.request(reason) }
            }
        }
    }

    private static func reason(_ signal: Int32) -> StopReason {
        switch signal {
        case SIGINT: StopReason(.interrupted, "interrupted (SIGINT)")
        case SIGHUP: StopReason(.hungUp, "its terminal or session is gone (SIGHUP)")
        case SIGXCPU:
            StopReason(.outOfTime, "the limit of CPU time is reached (SIGXCPU, ulimit -t)")
        default: StopReason(.terminated, "told to end (SIGTERM)")
        }
    }

    private static func name(_ signal: Int32) -> String {
        signal == SIGUSR1 ? "SIGUSR1" : "SIGUSR2"
    }
}

/// Set once, before the handlers that read it.
nonisolated(unsafe) private var signalPipe: Int32 = -1
