package import Datasets
package import LockstepProtocol
package import NeuralNetwork
package import ZeroMQ

/// Where and how a coordinator serves a session. The roles that are started apart find it there.
package struct CoordinatorOptions: Sendable {
    package var address: ListeningAddress
    /// Whether the parameter servers run inside this process, or are started apart and join.
    package var hostsServers: Bool
    /// Starts this many workers on this host, as processes of `workerCommand`; 0 for none.
    package var localWorkers: Int
    /// The program and its arguments; `--coordinator ENDPOINT` is added behind.
    package var workerCommand: [String]
    /// The file that is started under the program's name, where that is not the one at its path.
    package var workerFile: String?
    /// Of each local worker.
    package var workerThreads: Int
    /// Of the cluster; nil lets anyone in who reaches the ports.
    package var key: ClusterKey?
    /// A sentence on each frame that is not used; nil where nobody wants to know.
    package var dropped: (@Sendable (String) -> Void)?

    package init(
        _ address: ListeningAddress, hostsServers: Bool = true, localWorkers: Int = 0,
        workerCommand: [String] = [], workerFile: String? = nil, workerThreads: Int = 1,
        key: ClusterKey? = nil,
        dropped: (@Sendable (String) -> Void)? = nil
    ) {
        self.dropped = dropped
        self.key = key
        self.address = address
        self.hostsServers = hostsServers
        self.localWorkers = localWorkers
        self.workerCommand = workerCommand
        self.workerFile = workerFile
        self.workerThreads = workerThreads
    }
}

/// What a worker or a server that is started by itself needs to join.
package struct MemberOptions: Sendable {
    package var coordinator: Endpoint
    package var waitTimeoutMilliseconds: Int
    /// Of the cluster; nil for a coordinator that takes anyone.
    package var key: ClusterKey?
    package var kernels: KernelVariant
    /// Of a worker.
    package var threads: Int
    /// The data set that a worker was told to train on, if it was told one.
    package var dataset: Dataset?
    package var cache: DatasetCache
    /// Of a server; of a worker beside a coordinator, where that listens.
    package var address: ListeningAddress?
    /// Of a worker that serves a shard: how others reach this host, where that is not the address
    /// by which it reaches the coordinator, and which ports it may bind.
    package var advertised: Endpoint?
    package var dataPorts: ClosedRange<UInt16>?
    /// A sentence for the log.
    package var notice: @Sendable (String) -> Void
    /// A sentence on each frame that is not used; nil where nobody wants to know.
    package var dropped: (@Sendable (String) -> Void)?
    /// What stands between a worker and its sockets: nothing, unless a test puts something there.
    package var sending: @Sendable (any Transport) -> any Transport = { $0 }

    package init(
        coordinator: Endpoint, waitTimeoutMilliseconds: Int, key: ClusterKey? = nil,
        kernels: KernelVariant,
        threads: Int = 1, dataset: Dataset? = nil, cache: DatasetCache,
        address: ListeningAddress? = nil, notice: @escaping @Sendable (String) -> Void,
        dropped: (@Sendable (String) -> Void)? = nil
    ) {
        self.dropped = dropped
        self.coordinator = coordinator
        self.key = key
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
        self.kernels = kernels
        self.threads = threads
        self.dataset = dataset
        self.cache = cache
        self.address = address
        self.notice = notice
    }
}

/// The entrances of the runtime, for the command line and for tests.
package enum Roles {
    /// Trains in this process, without a socket: the reference for all placements.
    package static func trainHere(
        _ request: SessionRequest, observer: any SessionObserver, interruption: Interruption
    ) -> SessionResult {
        LocalTrainer(request, observer: observer, interruption: interruption).run()
    }

    /// Coordinates a session until it ends; returns when every thread and child of it is gone.
    ///
    /// - Throws: ``RoleError`` if it cannot begin, e.g. because the port is in use.
    package static func coordinate(
        _ request: SessionRequest, _ options: CoordinatorOptions, observer: any SessionObserver,
        interruption: Interruption
    ) throws -> SessionResult {
        try CoordinatorRole(request, options, observer: observer, interruption: interruption).run()
    }

    /// Works for a coordinator until the session ends.
    package static func work(_ options: MemberOptions, interruption: Interruption) throws
        -> StopReason
    {
        try WorkerRole.run(options, interruption: interruption)
    }

    /// Serves a shard until the session ends.
    package static func serve(_ options: MemberOptions, interruption: Interruption) throws
        -> StopReason
    {
        try ServerRole.run(options, interruption: interruption)
    }
}

/// A role that cannot begin: what, where, and what to do; with its exit code.
package struct RoleError: Error, CustomStringConvertible {
    package let reason: StopReason
    package var description: String { reason.text }

    package init(_ exitCode: ExitCode, _ text: String) { reason = StopReason(exitCode, text) }
}
