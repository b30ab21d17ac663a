import Foundation
import Synchronization
import Testing
import ZeroMQ

/// No wait of these tests is longer: generous on a busy machine, and a failure when it is reached.
let patienceMilliseconds = 5000

/// Runs a test with a context, and fails it when the context does not end afterwards.
func withContext(_ body: (Context) throws -> Void) throws {
    let holder = Holder(try Context())
    defer { holder.expectEnd() }
    try holder.use(body)
}

/// The only owner of a context.
private final class Holder: Sendable {
    private let context: Mutex<Context?>

    init(_ context: consuming Context) { self.context = Mutex(context) }

    /// Apart from the callers, so that they hold no reference of their own.
    @inline(never)
    func use(_ body: (Context) throws -> Void) throws {
        guard let context = context.withLock({ $0 }) else { return }
        try body(context)
    }

    /// Drops it on another thread, so that an end which never comes fails the test instead of
    /// hanging it.
    func expectEnd() {
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            drop()
            done.signal()
        }
        let end = done.wait(timeout: .now() + .milliseconds(2 * patienceMilliseconds))
        #expect(end == .success, "the context does not end")
    }

    @inline(never)
    private func drop() {
        let last = context.withLock { $0.take() }
        #expect(last != nil)
    }
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

extension HandshakeMonitor {
    /// The next failure; nil if none comes in time.
    func first() throws -> HandshakeFailure? {
        var failure: HandshakeFailure?
        _ = try eventually {
            failure = try next()
            return failure != nil
        }
        return failure
    }
}
