import TrainingPlan

/// What a process does in the cluster, apart from coordinating it.
package enum Role: String, CaseIterable, Sendable {
    case server, worker
}

/// Who a member is; the same throughout its life.
package struct MemberDescription: Hashable, Sendable {
    package var role: Role
    /// Drawn by the process at its start: it is known by this until it has an incarnation.
    package var nonce: UInt64
    package var arithmeticVersion: Int
    package var host: String
    package var processID: Int32
    package var threads: Int
    /// Of its host, as far as the process may use them.
    package var cores: Int
    /// Where workers reach a server: `tcp://HOST:PORT`. Nil for a worker.
    package var dataEndpoint: String?
    /// The hash of the data set that a worker was told to train on, if it was told one.
    package var datasetSHA256: String?

    package init(
        role: Role, nonce: UInt64, host: String, processID: Int32, threads: Int = 1, cores: Int = 1,
        dataEndpoint: String? = nil, datasetSHA256: String? = nil,
        arithmeticVersion: Int = TrainingPlan.arithmeticVersion
    ) {
        self.role = role
        self.nonce = nonce
        self.host = host
        self.processID = processID
        self.threads = threads
        self.cores = cores
        self.dataEndpoint = dataEndpoint
        self.datasetSHA256 = datasetSHA256
        self.arithmeticVersion = arithmeticVersion
    }
}

/// A process of the cluster, as people know it.
package struct MemberName: Hashable, Sendable, CustomStringConvertible {
    package var role: Role
    package var incarnation: Incarnation
    package var host: String
    package var processID: Int32

    package init(role: Role, incarnation: Incarnation, host: String, processID: Int32) {
        self.role = role
        self.incarnation = incarnation
        self.host = host
        self.processID = processID
    }

    package var description: String {
        "\(role.rawValue) \(incarnation) (host \(host), process \(processID))"
    }
}
