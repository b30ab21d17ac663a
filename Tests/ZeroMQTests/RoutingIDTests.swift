import Testing
import ZeroMQ

struct RoutingIDTests {
    @Test(
        arguments: [
            ([0, 0, 0, 0, 1], 1), ([0, 1, 2, 3, 4], 0x0102_0304),
            ([0, 0xff, 0xff, 0xff, 0xff], .max),
        ] as [([UInt8], UInt32)])
    func automaticOnesAreNumbers(bytes: [UInt8], number: UInt32) {
        #expect(RoutingID(bytes) == RoutingID(rawValue: number))
    }

    @Test(
        arguments: [
            [], [0], [0, 0, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], Array("worker-7".utf8),
            [UInt8](repeating: 0, count: 9),
        ] as [[UInt8]])
    func othersAreNot(bytes: [UInt8]) {
        #expect(RoutingID(bytes) == nil)
    }

    /// The number of the next peer, each that of the last and one more, as libzmq counts.
    @Test func theyCountUp() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: loopback())
            var numbers: [UInt32] = []
            for _ in 0..<3 {
                let client = try Socket(.dealer, in: context)
                try client.connect(to: endpoint)
                try client.deliver("hello")
                guard case .message(let peer) = try server.nextRouted().reception else { continue }
                try server.deliver("welcome", to: peer)
                #expect(try client.nextText() == "welcome")
                numbers.append(peer.rawValue)
            }
            try #require(numbers.count == 3)
            #expect(numbers == [numbers[0], numbers[0] &+ 1, numbers[0] &+ 2])
        }
    }
}
