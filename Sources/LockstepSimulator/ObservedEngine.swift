package import LockstepProtocol
package import LockstepRuntime
package import RunRecords
package import TrainingPlan
package import ZeroMQ

/// A role's engine under observation. Tests distort what it does, to see that the checks find it
/// out.
package final class ObservedEngine<Base: RoleEngine>: RoleEngine {
    package typealias Machine = Base.Machine

    private let base: Base
    private let distortion: Distortion<Machine>
    /// Sees what is done, with the message that was received last.
    private let observe: (Machine.Action, Machine, Machine.Inbound?) -> Void
    /// Sees what the machine receives.
    private let receives: (Machine.Inbound) -> Void
    private var lastInbound: Machine.Inbound?
    /// What it sends is wrong from this step on, if it is a worker that computes wrongly.
    private var wrongSums: (firstStep: Step, wire: Wire)?

    init(
        _ base: Base, _ distortion: Distortion<Machine>,
        observe: @escaping (Machine.Action, Machine, Machine.Inbound?) -> Void,
        receives: @escaping (Machine.Inbound) -> Void = { _ in }
    ) {
        self.receives = receives
        self.base = base
        self.distortion = distortion
        self.observe = observe
    }

    package func decode(
        _ message: borrowing Message, from port: Port, for machine: Machine
    ) throws(FrameError) -> (Machine.Inbound, FrameHeader) {
        let (inbound, header) = try base.decode(message, from: port, for: machine)
        lastInbound = distortion.inbound.map { $0(inbound) } ?? inbound
        guard let lastInbound else { throw .notOneFrame }
        receives(lastInbound)
        return (lastInbound, header)
    }

    package func perform(
        _ action: Machine.Action, for machine: Machine, _ inHand: inout Message,
        over network: any Transport
    ) throws {
        let network =
            wrongSums.map {
                WrongSums(
                    network, from: $0.firstStep, inputs: SimulatedModel.shape.pixels, $0.wire)
            } ?? network
        guard let distort = distortion.actions else {
            observe(action, machine, lastInbound)
            return try base.perform(action, for: machine, &inHand, over: network)
        }
        for action in distort(action) {
            observe(action, machine, lastInbound)
            try base.perform(action, for: machine, &inHand, over: network)
        }
    }

    /// From a step on, every sum that it sends has a wrong bit.
    package func computesWrongly(from firstStep: Step, _ wire: Wire) {
        wrongSums = (firstStep, wire)
    }

    package func nextEvent() -> Machine.Event? { base.nextEvent() }
    package var isBusy: Bool { base.isBusy }
    package func work() { base.work() }
}

/// A deliberate fault of a role: what it does instead of what its machine decided, and what it
/// overlooks.
package struct Distortion<Machine: RoleMachine> {
    /// What is done in place of an action.
    package var actions: ((Machine.Action) -> [Machine.Action])?
    /// What the machine is given in place of a message; nil for nothing.
    package var inbound: ((Machine.Inbound) -> Machine.Inbound?)?

    package init(
        actions: ((Machine.Action) -> [Machine.Action])? = nil,
        inbound: ((Machine.Inbound) -> Machine.Inbound?)? = nil
    ) {
        self.actions = actions
        self.inbound = inbound
    }
}

/// The deliberate faults of all roles: none, in earnest.
package struct Distortions {
    package var worker = Distortion<WorkerMachine>()
    package var server = Distortion<ServerMachine>()
    package var coordinator = Distortion<CoordinatorMachine>()
    package var reporting: (ReportingEvent) -> [ReportingEvent] = { [$0] }
    /// What stands between the coordinator's checkpoints and its disk.
    package var disk: (any Disk) -> any Disk = { $0 }

    package init() {}
}
