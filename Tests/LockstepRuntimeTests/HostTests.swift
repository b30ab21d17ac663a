import Foundation
import LockstepProtocol
import LockstepRuntime
import TestSupport
import Testing
import ZeroMQ

/// What the runtime asks of the host: ports and processes.
@Suite struct PortHolderTests {
    @Test func namesTheProcessThatListens() throws {
        let context = try Context()
        let socket = try Socket(.router, in: context)
        let endpoint = try socket.bind(to: Endpoint("tcp://127.0.0.1:*"))
        let port = try #require(endpoint.port)
        let holder = try #require(PortHolder.find(port: port))
        #expect(holder.hasSuffix(" (process \(getpid()))"), "\(holder)")
        #expect(!holder.hasPrefix(" "))
        try socket.unbind(from: endpoint)
        // libzmq closes the listening socket in a thread of its own.
        #expect(eventually { PortHolder.find(port: port) == nil })
    }
}

@Suite struct ChildProcessesTests {
    private func children() throws -> ChildProcesses { ChildProcesses(wakeUp: try WakeUp()) }

    private func exits(of children: ChildProcesses, count: Int) -> [ChildProcesses.Exited] {
        var exited: [ChildProcesses.Exited] = []
        _ = eventually {
            exited += children.takeExited()
            return exited.count >= count
        }
        return exited
    }

    @Test func tellsHowChildrenEnd() throws {
        let children = try children()
        defer { children.stop() }
        try children.start(["/bin/sh", "-c", "exit 0"])
        let success = try #require(exits(of: children, count: 1).first)
        #expect(success.exitCode == .success && !success.wasNeeded)

        try children.start(["/bin/sh", "-c", "exit 78"])
        let mismatch = try #require(exits(of: children, count: 1).first)
        #expect(mismatch.exitCode == .mismatch && mismatch.wasNeeded)
        #expect(mismatch.cause == "exited with code 78")

        try children.start(["/bin/sh", "-c", "kill -9 $$"])
        let killed = try #require(exits(of: children, count: 1).first)
        #expect(killed.exitCode == .lostPeer && killed.wasNeeded)
        #expect(killed.cause == "was killed by signal 9")
        #expect(children.takeExited().isEmpty)
    }

    @Test func namesAProgramThatIsNotThere() throws {
        let children = try children()
        let error = try #require(throws: RoleError.self) {
            try children.start(["/nowhere/lockstep"])
        }
        #expect(error.reason.exitCode == .unavailable)
        #expect(error.reason.text.contains("/nowhere/lockstep"))
    }

    /// What is started under a name need not be what stands there.
    @Test func startsAnotherFileUnderAName() throws {
        let children = try children()
        defer { children.stop() }
        try children.start(["/nowhere/lockstep", "-c", "exit 78"], file: "/bin/sh")
        #expect(exits(of: children, count: 1).first?.exitCode == .mismatch)
    }

    /// Through its standard input, which holds nothing else by then.
    @Test func retiresTheNewest() throws {
        let children = try children()
        defer { children.stop() }
        try children.start(["/bin/sh", "-c", "exec sleep 1000"])
        try children.start(["/bin/sh", "-c", "test $(head -c 1 | od -An -tu1) = 15 && exit 7"])
        children.retire(1)
        let exited = exits(of: children, count: 1)
        #expect(exited.first?.cause == "exited with code 7" && exited.first?.wasNeeded == false)
        #expect(children.count == 1)
    }

    /// `cat` leaves when its standard input ends: nobody has to kill it.
    @Test func childrenSeeTheEndOfTheirInput() throws {
        let children = try children()
        try children.start(["/bin/cat"])
        let start = Date()
        children.stop()
        let exited = exits(of: children, count: 1)
        #expect(exited.first?.exitCode == .success)
        #expect(exited.first?.wasNeeded == false)
        #expect(Date().timeIntervalSince(start) < patienceSeconds)
    }

    @Test func childrenThatStayAreKilled() throws {
        let children = try children()
        try children.start(["/bin/sh", "-c", "trap '' TERM HUP; exec sleep 1000 </dev/null"])
        let start = Date()
        children.stop()
        let exited = exits(of: children, count: 1)
        #expect(exited.first?.cause == "was killed by signal 9")
        // Nobody needs it any more.
        #expect(exited.first?.wasNeeded == false)
        #expect(Date().timeIntervalSince(start) < patienceSeconds)
        #expect(exited.allSatisfy { !isAlive($0.processID) })
    }
}
