import CZeroMQ
import Testing
import ZeroMQ

struct SocketOptionTests {
    @Test(
        arguments: [
            (.sendHighWaterMark, 7), (.receiveHighWaterMark, 8), (.lingerMilliseconds, 250),
            (.handshakeMilliseconds, 2000), (.maximumMessageByteCount, 407_113),
            (.maximumMessageByteCount, 5_000_000_000), (.kernelSendBufferByteCount, 1 << 20),
            (.kernelReceiveBufferByteCount, 1 << 21), (.reconnectMilliseconds, 50),
            (.maximumReconnectMilliseconds, 1000), (.connectTimeoutMilliseconds, 3000),
            (.backlog, 64),
        ] as [(IntegerOption, Int)])
    func integersReadBack(option: IntegerOption, value: Int) throws {
        try withContext { context in
            let socket = try Socket(.router, in: context)
            #expect(try socket.value(of: option) != value)
            try socket.set(option, to: value)
            #expect(try socket.value(of: option) == value)
        }
    }

    @Test(arguments: [FlagOption.immediate, .ipv6, .enforcesZAPDomain])
    func flagsReadBack(option: FlagOption) throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            #expect(try !socket.value(of: option))
            try socket.set(option, to: true)
            #expect(try socket.value(of: option))
        }
    }

    @Test func textsReadBack() throws {
        try withContext { context in
            let socket = try Socket(.router, in: context)
            #expect(try socket.value(of: .zapDomain) == "")
            try socket.set(.zapDomain, to: "lockstep")
            #expect(try socket.value(of: .zapDomain) == "lockstep")
        }
    }

    @Test func nothingLingersUnlessAskedTo() throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            #expect(try socket.value(of: .lingerMilliseconds) == 0)
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
