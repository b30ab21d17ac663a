package import TrainingPlan

/// What a worker has to do next; done in order.
package enum WorkerAction: Hashable, Sendable {
    // Steady step.
    /// Compute a node of this step, the one whose weights were adopted last, and say
    /// ``WorkerEvent/nodeComputed(_:_:_:)``.
    case compute(Step, LeafRange)
    /// Send the shard's slice of a computed node. The node's buffer lives until a `compute` of a
    /// later step, or longer where libzmq still holds it.
    case push(StepAddress, LeafRange)
    /// Keep the payload in hand in the slot of (shard, step modulo 2).
    case keepWeights(ShardIndex, Step)
    /// Copy the kept slices of this step, of every shard, over the weights in use.
    case adopt(Step)

    // Now and then.
    /// Ask the shard's server for the weights after this step, or which of these leaves it holds.
    case inquire(StepAddress, leaves: LeafRange)
    /// Ask the shard's server for the weights of a step.
    case requestWeights(StepAddress, wanted: Step)
    /// Close the data connection to the shard's server and make a new one.
    case reconnect(ShardIndex)
    indirect case send(StatementNumber, Status)
    /// Look for the data set by its hash; say `datasetFound` or `datasetMissing`.
    indirect case findDataset(DatasetDescription)
    /// Connect to where the data set is to be had, anew if there is a connection already.
    indirect case connectDataset(endpoint: String)
    case requestPart(BytePart)
    /// Keep the payload in hand: this part of the data set.
    case storePart(BytePart)
    /// All parts are there: hash them and say `datasetVerified`.
    case verifyDataset
    /// Make room for the run, fill in the initial weights, connect to the servers, and say
    /// `runBegun`.
    indirect case beginRun(WorkDuty)
    /// The run continues with other leaves, or among other workers.
    indirect case changeView(WorkDuty)
    /// Stop computing for this run and close its data connections.
    case endRun(RunIndex)
    indirect case notice(String)
}

/// What a worker's engine has done.
package enum WorkerEvent: Hashable, Sendable {
    case nodeComputed(RunIndex, Step, LeafRange)
    /// The data set is on this host, and in memory.
    case datasetFound
    case datasetMissing
    /// The data set that came from the coordinator has been hashed, and stored if it matches.
    case datasetVerified(matches: Bool)
    case runBegun(RunIndex)
    /// The coordinator's name stands for no address, at least not yet.
    indirect case unresolved(String)
    /// It cannot continue.
    indirect case failed(StopReason)
}

/// What a worker may be sent. Types for other roles do not come this far.
package enum WorkerInbound: Hashable, Sendable {
    indirect case assignment(StatementNumber, Assignment)
    case weights(StepAddress)
    /// The payload's bits.
    indirect case held(StepAddress, leaves: LeafRange, isHeld: LeafBits)
    case datasetPart(BytePart)
}

/// A bit for each leaf of a range, counted from the range's first: 1 where the leaf is covered.
package struct LeafBits: Hashable, Sendable {
    package private(set) var bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package init(count: Int, isSet: (Int) -> Bool) {
        bytes = Array(repeating: 0, count: Self.byteCount(of: count))
        for index in 0..<count where isSet(index) { bytes[index / 8] |= 1 << UInt8(index % 8) }
    }

    package subscript(_ index: Int) -> Bool { bytes[index / 8] & 1 << UInt8(index % 8) != 0 }

    package static func byteCount(of leafCount: Int) -> Int { (leafCount + 7) / 8 }
}
