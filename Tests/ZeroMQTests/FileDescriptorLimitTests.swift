import Foundation
import Testing
import ZeroMQ

/// Each in a process of its own, whose limits it may lower and whose descriptors are no other
/// test's.
struct FileDescriptorLimitTests {
    @Test func whatAContextTakesIsKnown() async {
        await #expect(processExitsWith: .success) {
            let before = try descriptorCount()
            let needed = FileDescriptorLimit.needed(sockets: 23, connections: 20)
            try setLimits(soft: before + needed, hard: before + needed)
            try talk(servers: 3, clients: 20, in: Context()) {
                let taken = try descriptorCount() - before
                // The rest is the room for strangers. Dispatch opens and closes some meanwhile.
                exit(13...19 ~= needed - taken ? EXIT_SUCCESS : CInt(taken))
            }
        }
    }

    @Test func theSoftLimitIsRaised() async {
        await #expect(processExitsWith: .success) {
            let hard = try limits().rlim_max
            let before = try descriptorCount()
            try setLimits(soft: before + 6, hard: Int(clamping: hard))
            let needed = FileDescriptorLimit.needed(sockets: 23, connections: 20)
            try FileDescriptorLimit.reserve(needed)
            let raised = try limits()
            guard raised.rlim_max == hard, isNear(Int(raised.rlim_cur), before + needed) else {
                exit(CInt(raised.rlim_cur))
            }
            try talk(servers: 3, clients: 20, in: Context()) { exit(EXIT_SUCCESS) }
        }
    }

    @Test func aLimitThatIsHighEnoughStays() async {
        await #expect(processExitsWith: .success) {
            let before = try descriptorCount()
            try setLimits(soft: before + 200, hard: before + 300)
            try FileDescriptorLimit.reserve(100)
            exit(Int(try limits().rlim_cur) == before + 200 ? EXIT_SUCCESS : EXIT_FAILURE)
        }
    }

    /// Then the open ones cannot even be counted.
    @Test func aLimitThatIsReachedIsRaisedToo() async {
        await #expect(processExitsWith: .success) {
            try setLimits(soft: 2, hard: Int(clamping: limits().rlim_max))
            try FileDescriptorLimit.reserve(100)
            exit(isNear(Int(try limits().rlim_cur), 100) ? EXIT_SUCCESS : EXIT_FAILURE)
        }
    }

    @Test func aHardLimitThatIsTooLowIsNamed() async {
        await #expect(processExitsWith: .success) {
            let before = try descriptorCount()
            let limit = before + 6
            try setLimits(soft: limit, hard: limit)
            do throws(FileDescriptorLimitError) {
                try FileDescriptorLimit.reserve(100)
            } catch {
                let needed = error.needed
                let words = ["at most \(limit) ", "RLIMIT_NOFILE", "ulimit -n \(needed)"]
                let isNamed = words.allSatisfy { error.description.contains($0) }
                let isRight = error.limit == limit && isNear(needed, before + 100) && isNamed
                exit(isRight ? EXIT_SUCCESS : EXIT_FAILURE)
            }
            exit(EXIT_FAILURE)
        }
    }
}

private struct SystemCallFailed: Error {}

private let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

private func limits() throws -> rlimit {
    var limit = rlimit()
    guard unsafe getrlimit(resource, &limit) == 0 else { throw SystemCallFailed() }
    return limit
}

private func setLimits(soft: Int, hard: Int) throws {
    var limit = rlimit(rlim_cur: rlim_t(soft), rlim_max: rlim_t(hard))
    guard unsafe setrlimit(resource, &limit) == 0 else { throw SystemCallFailed() }
}

private func descriptorCount() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count - 1
}

/// Other threads of this process open and close descriptors as well.
private func isNear(_ count: Int, _ wanted: Int) -> Bool { abs(count - wanted) <= 3 }

/// Runs `body` when every client has been heard.
private func talk(
    servers: Int, clients: Int, in context: Context, then body: () throws -> Void
) throws {
    func open(_ left: Int, _ first: borrowing Socket, _ endpoint: Endpoint) throws {
        guard left > 0 else { return try body() }
        let socket = try Socket(left > clients ? .router : .dealer, in: context)
        if left > clients {
            try socket.bind(to: loopback())
        } else {
            try socket.connect(to: endpoint)
            try socket.deliver("hello")
            guard try first.nextRouted().text == "hello" else { throw SystemCallFailed() }
        }
        try open(left - 1, first, endpoint)
    }
    let first = try Socket(.router, in: context)
    let endpoint = try first.bind(to: loopback())
    try open(servers + clients - 1, first, endpoint)
}
