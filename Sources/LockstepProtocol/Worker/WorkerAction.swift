package import TrainingPlan

/// What a worker has to do next; done in order.
package enum WorkerAction: Hashable, Sendable {
    // Steady step.
    /// Compute the worker's nodes of this step with the adopted weights; say `nodeComputed` of each.
    case compute(Step)
    /// Send the shard's slice of a computed node. The node's buffer lives until the next `compute`
    /// of a step, or longer where libzmq still holds it.
    case push(LeafRange, Step, to: ShardIndex)
    /// Keep the payload in hand in the slot of (shard, step modulo 2).
    case keepWeights(ShardIndex, Step)
    /// Release the payload in hand.
    case drop(DropReason)
    /// Copy the kept slices of this step, of every shard, over the weights in use.
    case adopt(Step)

    // Now and then.
    /// `attach` with this step, first on a data connection.
    case attach(ShardIndex, Step)
    /// `weightsRequest` with this step.
    case requestWeights(ShardIndex, Step)
    /// Close the data connection to the shard's server and make a new one.
    case reconnect(ShardIndex)
    indirect case send(ControlMessage)
    /// Look for the data set by its hash; say `datasetFound` or `datasetMissing`.
    indirect case findDataset(DatasetDescription)
    case requestChunk(DatasetChunk)
    /// Keep the payload in hand: this part of the data set.
    case storeChunk(DatasetChunk)
    /// All parts are there: hash them and say `datasetVerified`.
    case verifyDataset
    /// Make room for the run, fill in the initial weights, connect to the servers, and say
    /// `runBegun`.
    indirect case beginRun(StartRun)
    /// Stop computing for this run and close its data connections.
    case endRun(RunIndex)
    /// Close everything and leave.
    indirect case exit(StopReason)
}
