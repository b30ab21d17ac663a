import Foundation
import LockstepProtocol
import Synchronization
import ZeroMQ

/// Tells both sides of a connection that comes to nothing because of a key.
final class HandshakeWatch {
    private let key: ClusterKey?
    private let wakeUp: WakeUp
    private let notice: (String) -> Void
    private var port: Watched?
    private var connection: Watched?
    private var coordinator: Endpoint?
    /// Since the last frame of the coordinator, or the last inquiry.
    private var failureCount = 0
    /// Whether one of them was not a broken connection.
    private var isCertain = false
    /// Whether an inquiry has found a coordinator there that insists on a key, or on none, and all
    /// failures that count came after it: before, it may not have been there.
    private var isThere = false
    /// A member that was let in waits for its coordinator, whoever answers in its place.
    private var wasLetIn = false
    private var inquiry: Inquiry?
    private var refusedCount = 0
    private var toldAt: UInt64?

    private final class Watched {
        let monitor: HandshakeMonitor

        init(_ socket: borrowing Socket, in context: Context) throws(ZMQError) {
            monitor = try HandshakeMonitor(socket, in: context)
        }
    }

    /// A handshake also breaks while a coordinator goes, or is too busy to answer in time.
    private static let askingFailures = 3
    private static let noticeIntervalNanoseconds: UInt64 = 60_000_000_000

    init(_ key: ClusterKey?, wakeUp: WakeUp, notice: @escaping (String) -> Void) {
        self.key = key
        self.wakeUp = wakeUp
        self.notice = notice
    }

    /// The port that others come to.
    func watch(_ socket: borrowing Socket, in context: Context) throws(ZMQError) {
        if key != nil { port = try Watched(socket, in: context) }
    }

    /// The connection to the coordinator.
    func watch(
        _ socket: borrowing Socket, connectingTo endpoint: Endpoint, in context: Context
    ) throws(ZMQError) {
        coordinator = endpoint
        connection = try Watched(socket, in: context)
    }

    /// The coordinator has been heard.
    func succeeded() {
        wasLetIn = true
        begin(isThere: false)
    }

    private func begin(isThere: Bool) {
        (failureCount, isCertain, inquiry) = (0, false, nil)
        self.isThere = isThere
    }

    /// Looks at what has failed since the last time.
    ///
    /// - Throws: ``RoleError`` with `refusedByKey`.
    func check() throws(RoleError) {
        do throws(ZMQError) {
            while let failure = try port?.monitor.next() {
                if failure != .broken { refusedCount += 1 }
            }
            tellRefusals()
            while let failure = try connection?.monitor.next() {
                failureCount += 1
                // After any other libzmq does not try again by itself.
                if failure != .broken { isCertain = true }
            }
        } catch {
            throw RoleError(.internalError, "\(error)")
        }
        guard let coordinator else { return }
        if let greeting = inquiry?.answer {
            let text = refusal(greeting, coordinator)
            if let text, isThere || isCertain, !wasLetIn { throw RoleError(.refusedByKey, text) }
            begin(isThere: text != nil)
        } else if failureCount >= Self.askingFailures || isCertain, inquiry == nil {
            inquiry = Inquiry(coordinator, wakeUp)
        }
    }

    /// Nil where the keys are not what keeps us out.
    private func refusal(_ greeting: Greeting, _ coordinator: Endpoint) -> String? {
        switch (greeting, key) {
        case (.mechanism("CURVE"), let key?):
            "the coordinator at \(coordinator) has another key than \(key.fingerprint): compare what "
                + "lockstep keys show says on both hosts, and copy the coordinator's file here"
        case (.mechanism("CURVE"), nil):
            "the coordinator at \(coordinator) lets nobody in without its key: copy the key's file to "
                + "this host, and name it with --key"
        case (.mechanism, let key?):
            "the coordinator at \(coordinator) has no key, and this process has \(key.fingerprint): "
                + "start the coordinator with the key, or this one with --insecure in a network that "
                + "you trust"
        case (.silence, _), (.foreign, _), (.mechanism, nil): nil
        }
    }

    /// At once, and then no more than once a minute.
    private func tellRefusals() {
        guard let key, refusedCount > 0 else { return }
        let now = SystemClock.nanoseconds
        if let toldAt, now - toldAt < Self.noticeIntervalNanoseconds { return }
        toldAt = now
        notice(
            refusedCount == 1
                ? "a peer without the key \(key.fingerprint) was turned away"
                : "\(refusedCount) peers without the key \(key.fingerprint) were turned away")
        refusedCount = 0
    }

    /// Asks for a greeting in a thread of its own.
    private final class Inquiry: Sendable {
        private let state = Mutex<Greeting?>(nil)

        var answer: Greeting? { state.withLock(\.self) }

        init(_ endpoint: Endpoint, _ wakeUp: WakeUp) {
            let thread = Thread { [self] in
                let greeting = Greeting.of(endpoint, timeoutMilliseconds: 1_000)
                state.withLock { $0 = greeting }
                wakeUp.signal()
            }
            thread.name = "greeting"
            thread.start()
        }
    }
}
