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
    /// Since the last frame of the coordinator.
    private var failureCount = 0
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
        failureCount = 0
        inquiry = nil
    }

    /// Looks at what has failed since the last time.
    ///
    /// - Throws: ``RoleError`` with `refusedByKey`.
    func check() throws(RoleError) {
        do throws(ZMQError) {
            while let failure = try port?.monitor.next() { note(failure) }
            while let failure = try connection?.monitor.next() {
                // After any other libzmq does not try again by itself.
                failureCount += failure == .broken ? 1 : Self.askingFailures
            }
        } catch {
            throw RoleError(.internalError, "\(error)")
        }
        guard let coordinator else { return }
        if let greeting = inquiry?.answer {
            if let text = refusal(greeting, coordinator) { throw RoleError(.refusedByKey, text) }
            succeeded()
        } else if failureCount >= Self.askingFailures, inquiry == nil {
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

    private func note(_ failure: HandshakeFailure) {
        guard let key, failure != .broken else { return }
        refusedCount += 1
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
