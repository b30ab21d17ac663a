package import LockstepProtocol
import TrainingPlan
package import ZeroMQ

/// The connections of a ROUTER, numbered: machines know peers by these numbers.
///
/// A scan of the port never sends a frame and so never gets a number.
package struct PeerTable {
    private var handles: [RoutingID: PeerHandle] = [:]
    private var routingIDs: [PeerHandle: RoutingID] = [:]
    private var last: PeerHandle = 0

    package init() {}

    package mutating func handle(of routingID: RoutingID) -> PeerHandle {
        if let handle = handles[routingID] { return handle }
        last = last.next
        handles[routingID] = last
        routingIDs[last] = routingID
        return last
    }

    package func routingID(of handle: PeerHandle) -> RoutingID? { routingIDs[handle] }

    package mutating func forget(_ handle: PeerHandle) {
        guard let routingID = routingIDs.removeValue(forKey: handle) else { return }
        handles[routingID] = nil
    }
}
