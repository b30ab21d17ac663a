/// A place in the program where it can be made to die, to show that a run survives it.
///
/// `LOCKSTEP_CRASH_AT=POINT[:N]` makes a process kill itself, as by `kill -9`, when it passes the
/// point for the N-th time, the first by default. There is one build only, which the tests run,
/// too: so the points are in it. Where the variable is not set, passing one costs a comparison.
///
/// Each point is named for what has just been done, or with -ing for what is about to be, and
/// begins with the role that passes it. A process that hosts several roles passes the points of all
/// of them; one that trains by itself, those of the coordinator that are about its folder.
package enum CrashPoint: String, CaseIterable, Sendable {
    // MARK: Coordinator, the run's folder

    case folderLocked = "coordinator.folder-locked"
    case configurationWriting = "coordinator.configuration-writing"
    case replacementSynchronized = "coordinator.replacement-synchronized"
    case replacementRenamed = "coordinator.replacement-renamed"
    case configurationWritten = "coordinator.configuration-written"
    case statesRemoved = "coordinator.states-removed"
    case logEmptied = "coordinator.log-emptied"
    case logCreated = "coordinator.log-created"
    case logCutting = "coordinator.log-cutting"
    case logCut = "coordinator.log-cut"
    case logWriting = "coordinator.log-writing"
    case logWritten = "coordinator.log-written"
    case runRecorded = "coordinator.run-recorded"
    case stepRecorded = "coordinator.step-recorded"
    case evaluating = "coordinator.evaluating"
    case epochRecorded = "coordinator.epoch-recorded"
    case evaluated = "coordinator.evaluated"
    case weightsSaving = "coordinator.weights-saving"
    case weightsSaved = "coordinator.weights-saved"
    case endRecorded = "coordinator.end-recorded"
    case leftoversRemoved = "coordinator.leftovers-removed"

    // MARK: Coordinator, a checkpoint

    case checkpointWhole = "coordinator.checkpoint-whole"
    case checkpointWriting = "coordinator.checkpoint-writing"
    case checkpointLogSynchronized = "coordinator.checkpoint-log-synchronized"
    case checkpointFolderMade = "coordinator.checkpoint-folder-made"
    case checkpointBytesWritten = "coordinator.checkpoint-bytes-written"
    case checkpointShardWritten = "coordinator.checkpoint-shard-written"
    case checkpointManifestWritten = "coordinator.checkpoint-manifest-written"
    case checkpointFolderSynchronized = "coordinator.checkpoint-folder-synchronized"
    case checkpointRenamed = "coordinator.checkpoint-renamed"
    case checkpointDurable = "coordinator.checkpoint-durable"
    case oldManifestRemoved = "coordinator.old-manifest-removed"
    case oldShardRemoved = "coordinator.old-shard-removed"
    case oldCheckpointRemoved = "coordinator.old-checkpoint-removed"

    // MARK: Coordinator, the cluster

    case portsBound = "coordinator.ports-bound"
    case assignmentSent = "coordinator.assignment-sent"
    case memberJoined = "coordinator.member-joined"
    case datasetPartSent = "coordinator.dataset-part-sent"
    case memberReady = "coordinator.member-ready"
    case runBegun = "coordinator.run-begun"
    case reportKept = "coordinator.report-kept"
    case stepPosted = "coordinator.step-posted"
    case weightsPartKept = "coordinator.weights-part-kept"
    case statePartKept = "coordinator.state-part-kept"
    case statePartSent = "coordinator.state-part-sent"
    case membersLate = "coordinator.members-late"
    case memberLeft = "coordinator.member-left"
    case viewChanged = "coordinator.view-changed"
    case serverLost = "coordinator.server-lost"
    case generationBegun = "coordinator.generation-begun"
    case runEnded = "coordinator.run-ended"
    case sessionEnded = "coordinator.session-ended"

    // MARK: Server

    case serverOpened = "server.opened"
    case serverAssigned = "server.assigned"
    case serverStatusSent = "server.status-sent"
    case shardPreparing = "server.preparing"
    case shardPrepared = "server.prepared"
    case stateAsked = "server.state-asked"
    case statePartStored = "server.state-part-stored"
    case stateAdopting = "server.state-adopting"
    case stateAdopted = "server.state-adopted"
    case pushKept = "server.push-kept"
    case stepFolding = "server.step-folding"
    case blockFolded = "server.block-folded"
    case blockUpdated = "server.block-updated"
    case stepComputed = "server.step-computed"
    case stepApplied = "server.step-applied"
    case weightsSending = "server.weights-sending"
    case weightsSent = "server.weights-sent"
    case reportSent = "server.report-sent"
    case heldSent = "server.held-sent"
    case snapshotKept = "server.snapshot-kept"
    case snapshotForgotten = "server.snapshot-forgotten"
    case stateKept = "server.state-kept"
    case stateForgotten = "server.state-forgotten"
    case partSent = "server.part-sent"
    case shardForgotten = "server.shard-forgotten"
    case serverLeaving = "server.leaving"

    // MARK: Worker

    case workerOpened = "worker.opened"
    case workerAssigned = "worker.assigned"
    case workerStatusSent = "worker.status-sent"
    case datasetSeeking = "worker.dataset-seeking"
    case datasetConnected = "worker.dataset-connected"
    case datasetPartAsked = "worker.dataset-part-asked"
    case datasetPartStored = "worker.dataset-part-stored"
    case datasetWhole = "worker.dataset-whole"
    case datasetCached = "worker.dataset-cached"
    case runOpening = "worker.run-opening"
    case serverConnected = "worker.server-connected"
    case runOpened = "worker.run-opened"
    case workerViewChanged = "worker.view-changed"
    case nodeComputing = "worker.node-computing"
    case gradientComputed = "worker.gradient-computed"
    case nodeComputed = "worker.node-computed"
    case pushing = "worker.pushing"
    case pushed = "worker.pushed"
    case inquired = "worker.inquired"
    case weightsAsked = "worker.weights-asked"
    case weightsKept = "worker.weights-kept"
    case weightsAdopting = "worker.weights-adopting"
    case weightsAdopted = "worker.weights-adopted"
    case runClosed = "worker.run-closed"
    case workerLeaving = "worker.leaving"

    /// The role that passes it.
    package var role: Substring { rawValue.prefix { $0 != "." } }
}
