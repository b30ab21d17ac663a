import LockstepProtocol
import LockstepRuntime
import Testing
import TrainingPlan
import ZeroMQ

@Suite struct PeerTableTests {
    @Test func numbersConnectionsOnce() throws {
        var table = PeerTable()
        let ids = try (1...3).map { try #require(RoutingID([0, 0, 0, 0, UInt8($0)])) }
        let handles = ids.map { table.handle(of: $0) }
        #expect(Set(handles).count == 3)
        #expect(ids.map { table.handle(of: $0) } == handles)
        #expect(handles.map { table.routingID(of: $0) } == ids)
        // 0 stands for a sender that cannot be known.
        #expect(!handles.contains(PeerHandle(0)))
        #expect(table.routingID(of: PeerHandle(0)) == nil)
    }

    /// A handle never comes to mean another connection.
    @Test func forgottenHandlesAreNotUsedAgain() throws {
        var table = PeerTable()
        let id = try #require(RoutingID([1]))
        let old = table.handle(of: id)
        table.forget(old)
        #expect(table.routingID(of: old) == nil)
        let new = table.handle(of: id)
        #expect(new != old)
        table.forget(old)
        #expect(table.routingID(of: new) == id)
    }
}
