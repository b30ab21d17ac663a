import CZeroMQ
import Foundation
import Testing
import ZeroMQ

struct ContextTests {
    @Test func versionIsOneThatWeKnow() {
        #expect(Library.version >= (4, 3, 0))
        #expect(!Library.has("no such thing"))
    }

    @Test func socketsAreCountedUntilTheyClose() throws {
        try withContext { context in
            #expect(context.openSocketCount == 0)
            do {
                let socket = try Socket(.dealer, in: context)
                _ = try SocketMonitor(socket, in: context)
                #expect(context.openSocketCount >= 1)
                #expect(socket.kind == .dealer)
            }
            #expect(context.openSocketCount == 0)
        }
    }

    @Test func terminationWaitsForSocketsButNotForEver() throws {
        let context = try Context()
        do {
            let socket = try Socket(.dealer, in: context)
            let error = #expect(throws: ZMQError.self) {
                try context.terminate(timeoutMilliseconds: 30)
            }
            #expect(error?.code == ETIMEDOUT)
            #expect(error?.description.contains("on 1 open socket:") == true)
            var message = Message()
            do throws(ZMQError) {
                _ = try socket.receive(into: &message)
                Issue.record("a socket of a context that was shut down still works")
            } catch {
                #expect(error.isShutdown)
            }
        }
        expectTermination(of: context)
        expectTermination(of: context)  // once more is no harm
        #expect(throws: ZMQError(code: ETERM, call: "zmq_socket")) {
            _ = try Socket(.pair, in: context)
        }
    }

    @Test func terminationEndsTheWaitOfAnotherThread() throws {
        let context = try Context()
        let started = DispatchSemaphore(value: 0)
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            defer { ended.signal() }
            do throws(ZMQError) {
                let socket = try Socket(.dealer, in: context)
                var poller = Poller()
                _ = poller.add(socket)
                started.signal()
                try poller.wait(timeoutMilliseconds: 4 * patienceMilliseconds)
                Issue.record("the wait ended without an error")
            } catch {
                #expect(error.isShutdown)
            }
        }
        started.wait()
        expectTermination(of: context)
        #expect(ended.wait(timeout: .now() + .milliseconds(patienceMilliseconds)) == .success)
    }

    @Test func tooManySocketsAreAnError() throws {
        let context = try Context(maximumSocketCount: 1)
        do {
            let first = try Socket(.pair, in: context)
            #expect(throws: ZMQError(code: EMFILE, call: "zmq_socket")) {
                _ = try Socket(.pair, in: context)
            }
            #expect(context.openSocketCount == 1)
            _ = first.kind
        }
        expectTermination(of: context)
    }

    @Test func unsentMessagesDoNotHoldTheContextUp() throws {
        let unanswered = try UnansweredPort()
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            try socket.connect(to: .tcp(host: "127.0.0.1", port: unanswered.port))
            try socket.deliver("never to arrive")
        }
    }
}
