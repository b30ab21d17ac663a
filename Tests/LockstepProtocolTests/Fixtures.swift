import LockstepProtocol
import TrainingPlan

/// What the scenarios have in common: session 9, 1,000 training examples, a small network.
enum Fixture {
    static let session: SessionID = 9
    static let dataset = DatasetDescription(
        name: "synthetic-digits", sha256: "d5", byteCount: 2_500_000, trainingExampleCount: 1000)

    /// Five steps an epoch: four of 240 examples in 7 leaves (the last one short) and one of 40
    /// examples in 2 leaves.
    static var configuration: RunConfiguration {
        var configuration = RunConfiguration(
            preset: .mseTanh)
        configuration.batchSize = 240
        configuration.microBatch = 39
        configuration.epochs = 1
        return configuration
    }

    static func hello(_ role: Role, nonce: UInt64) -> Hello {
        Hello(
            role: role, host: "h\(nonce)", processID: Int32(nonce), nonce: nonce,
            dataEndpoint: role == .server ? "tcp://h\(nonce):29501" : nil)
    }

    static func link(_ role: Role, nonce: UInt64) -> CoordinatorLink {
        CoordinatorLink(
            hello: hello(role, nonce: nonce), coordinatorAddress: "tcp://head:29500",
            waitTimeoutMilliseconds: 20_000)
    }

    static func welcome(_ incarnation: Incarnation) -> ControlMessage {
        .welcome(Welcome(session: session, incarnation: incarnation, dataset: dataset))
    }

    static func worker(_ incarnation: Incarnation) -> MemberName {
        MemberName(
            role: .worker, incarnation: incarnation, host: "w\(incarnation)",
            processID: 100 + Int32(incarnation.rawValue))
    }

    /// The actions that a call appends.
    static func actions<Action>(_ event: (inout [Action]) -> Void) -> [Action] {
        var actions: [Action] = []
        event(&actions)
        return actions
    }
}
