import CZeroMQ
import Testing
import ZeroMQ

struct SocketOptionTests {
    @Test(
        arguments: [
            (.sendHighWaterMark, 7), (.receiveHighWaterMark, 8), (.lingerMilliseconds, 250),
            (.handshakeMilliseconds, 2000), (.maximumMessageByteCount, 5_000_000_000),
            (.reconnectMilliseconds, 50), (.maximumReconnectMilliseconds, 1000),
            (.connectTimeoutMilliseconds, 3000), (.tcpUserTimeoutMilliseconds, 20_000),
        ] as [(IntegerOption, Int)])
    func integersAreTaken(option: IntegerOption, value: Int) throws {
        try withContext { context in
            let socket = try Socket(.router, in: context)
            try socket.set(option, to: value)
        }
    }

    @Test func anOptionThatDoesNotFitTheSocketIsNamed() throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            let error = ZMQError(
                code: EINVAL, call: "zmq_setsockopt", subject: "ZMQ_ROUTER_MANDATORY")
            #expect(throws: error) { try socket.set(.routerMandatory, to: true) }
        }
    }

    @Test func unboundedQueuesAreOutOfRange() async {
        await #expect(processExitsWith: .failure) {
            let socket = try Socket(.dealer, in: Context())
            try socket.set(.sendHighWaterMark, to: 0)
        }
    }
}
