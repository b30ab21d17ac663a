import Foundation
import LockstepProtocol
import Synchronization
import ZeroMQ

/// The parameter servers that run inside the coordinator's process, each in a thread of its own.
final class HostedServers {
    private let interruption = Interruption()
    private let failure: FirstFailure
    private var threads: [DispatchSemaphore] = []

    /// Why the first server of this process stopped that was not told to.
    private final class FirstFailure: Sendable {
        private let reason = Mutex<StopReason?>(nil)
        private let wakeUp: WakeUp

        init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

        func note(_ new: StopReason) {
            reason.withLock { $0 = $0 ?? new }
            wakeUp.signal()
        }

        func take() -> StopReason? {
            reason.withLock { reason in
                defer { reason = nil }
                return reason
            }
        }
    }

    private final class OpeningError: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }

    /// - Parameter wakeUp: signalled when a server stops.
    init(wakeUp: WakeUp) { failure = FirstFailure(wakeUp: wakeUp) }

    /// Opens a server's ports and lets it serve.
    ///
    /// - Throws: what kept it from opening them.
    func start(
        _ place: ServerRole.Place, _ request: SessionRequest, context: Context,
        gatekeeper: Gatekeeper?,
        notice: @escaping @Sendable (String) -> Void, dropped: (@Sendable (String) -> Void)?
    ) throws {
        let ready = DispatchSemaphore(value: 0)
        let ended = DispatchSemaphore(value: 0)
        let opening = OpeningError()
        let isStarted = startThread(named: "server") { [interruption, failure] in
            defer { ended.signal() }
            let server: OpenServer
            do {
                // The sockets belong to the thread that makes them.
                let wakeUp = try WakeUp()
                server = try OpenServer(
                    place,
                    SocketTransport(
                        context, wakeUp: wakeUp, gatekeeper: gatekeeper, notice: notice),
                    wakeUp: wakeUp, kernels: request.kernels,
                    waitTimeoutMilliseconds: request.waitTimeoutMilliseconds, notice: notice,
                    dropped: dropped)
            } catch {
                opening.error.withLock { $0 = error }
                ready.signal()
                return
            }
            ready.signal()
            do {
                let reason = try server.run(interruption)
                if reason.exitCode != .success { failure.note(reason) }
            } catch {
                failure.note(StopReason(.internalError, "a parameter server stopped: \(error)"))
            }
        }
        guard isStarted else {
            throw RoleError(
                .unavailable,
                "no thread can be started for a parameter server; \(ThreadLimit.remedy)")
        }
        threads.append(ended)
        ready.wait()
        if let error = opening.error.withLock({ $0 }) { throw error }
    }

    /// Why a server stopped by itself, told once.
    func takeFailure() -> StopReason? { failure.take() }

    func stop(_ reason: StopReason) { interruption.request(reason) }

    func join() {
        stop(StopReason(.success, "the coordinator is done"))
        for thread in threads { thread.wait() }
    }
}
