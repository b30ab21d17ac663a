import Foundation
import Synchronization
import Testing
import ZeroMQ

/// No wait of these tests is longer: generous on a busy machine, and a failure when it is reached.
let patienceMilliseconds = 5000

/// Runs a test with a context, and fails it when the context does not terminate afterwards.
func withContext(_ body: (Context) throws -> Void) throws {
    let context = try Context()
    defer { expectTermination(of: context) }
    try body(context)
}

/// Terminates on another thread, so that a call which never returns fails the test instead of hanging it.
func expectTermination(of context: Context) {
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome()
    Thread.detachNewThread {
        do throws(ZMQError) {
            try context.terminate(timeoutMilliseconds: patienceMilliseconds)
        } catch {
            outcome.failure.withLock { $0 = error }
        }
        done.signal()
    }
    let end = done.wait(timeout: .now() + .milliseconds(2 * patienceMilliseconds))
    #expect(end == .success, "the context does not terminate")
    #expect(outcome.failure.withLock { $0 } == nil)
}

private final class Outcome: Sendable {
    let failure = Mutex<ZMQError?>(nil)
}

/// Asks again and again, up to the patience of these tests.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .milliseconds(patienceMilliseconds)
    while ContinuousClock.now < end {
        if try condition() { return true }
        usleep(1000)
    }
    return false
}

func loopback() throws -> Endpoint { try Endpoint("tcp://127.0.0.1:*") }

func text(_ message: borrowing Message) -> String {
    unsafe message.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

extension Socket {
    /// Sends, waiting until it can be done.
    func deliver(_ content: String, hasMore: Bool = false) throws {
        let isSent = try eventually {
            try send(Message(copying: content.utf8), hasMore: hasMore).isSent
        }
        try #require(isSent, "cannot send '\(content)'")
    }

    func deliver(_ content: String, to peer: RoutingID) throws {
        let isSent = try eventually { try send(Message(copying: content.utf8), to: peer).isSent }
        try #require(isSent, "cannot send '\(content)'")
    }

    /// The next message of one frame, nil if none comes in time.
    func nextText(withinMilliseconds limit: Int = patienceMilliseconds) throws -> String? {
        var message = Message()
        try waitUntilReadable(limit)
        return try receive(into: &message) == .message ? text(message) : nil
    }

    /// What comes next to a ROUTER, and its text.
    func nextRouted(
        withinMilliseconds limit: Int = patienceMilliseconds
    ) throws -> (reception: RoutedReception, text: String) {
        var message = Message()
        try waitUntilReadable(limit)
        let reception = try receiveRouted(into: &message)
        return (reception, text(message))
    }

    private func waitUntilReadable(_ limit: Int) throws {
        var poller = Poller()
        _ = poller.add(self)
        try poller.wait(timeoutMilliseconds: limit)
    }
}

extension SocketMonitor {
    /// Reads events until one is of interest; nil if none comes in time.
    func first(where isWanted: (MonitorEvent.Kind) -> Bool) throws -> MonitorEvent? {
        var poller = Poller()
        _ = poller.add(self)
        let end = ContinuousClock.now + .milliseconds(patienceMilliseconds)
        while ContinuousClock.now < end {
            try poller.wait(timeoutMilliseconds: 100)
            while let event = try next() {
                if isWanted(event.kind) { return event }
            }
        }
        return nil
    }
}
