import Foundation
import Testing
import ZeroMQ

struct ContextTests {
    @Test func versionIsOneThatWeKnow() {
        #expect(Library.version >= (4, 3, 0))
        #expect(!Library.has("no such thing"))
    }

    @Test func unsentMessagesDoNotHoldTheContextUp() throws {
        let unanswered = try UnansweredPort()
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            try socket.connect(to: .tcp(host: "127.0.0.1", port: unanswered.port))
            try socket.deliver("never to arrive")
        }
    }

    @Test func aSocketKeepsItsContext() throws {
        func makeSocket() throws -> Socket { try Socket(.pair, in: Context()) }
        let left = try makeSocket()
        try left.bind(to: Endpoint("inproc://kept"))
        #expect(try left.nextText(withinMilliseconds: 0) == nil)
    }

    /// libzmq itself begins at the same number in every process, where whoever knows it could wait
    /// for the next peer.
    @Test func routingIDsBeginAtRandom() async {
        await #expect(processExitsWith: .success) {
            let context = try Context()
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")
            guard case .message(let peer) = try server.nextRouted().reception else {
                exit(EXIT_FAILURE)
            }
            exit(peer.rawValue == 0x6b8b_4567 ? EXIT_FAILURE : EXIT_SUCCESS)
        }
    }
}
