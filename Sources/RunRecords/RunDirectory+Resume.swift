import CrashPoints

/// Where an unfinished run continues.
package struct ResumePoint: Equatable, Sendable {
    /// Nil: from the start.
    package var checkpoint: Checkpoint?
    /// Sentences for a person: what of the folder is not used, and why.
    package var warnings: [String]

    package init(checkpoint: Checkpoint?, warnings: [String]) {
        self.checkpoint = checkpoint
        self.warnings = warnings
    }
}

extension RunDirectory {
    /// The training states in this folder.
    package func checkpointStore(keep: Int = CheckpointStore.defaultKeep) -> CheckpointStore {
        CheckpointStore(
            path: checkpointsPath, keep: keep, logPath: metricsPath, run: FolderIdentity(path))
    }

    /// The newest checkpoint from which this unfinished run can continue: whole, and with the log
    /// that it was written with. Changes nothing.
    ///
    /// - Throws: ``RunDirectoryError`` for a checkpoint of another run or a newer program (exit
    ///   code 78), ``MetricsError`` for a log that does not fit any checkpoint (65), ``FileError``.
    package func resumePoint(
        matching identity: CheckpointIdentity
    ) throws -> ResumePoint {
        let store = checkpointStore()
        var point = ResumePoint(checkpoint: nil, warnings: [])
        var bound = Int.max
        var logFault: MetricsError?
        while true {
            let (found, refusals) = try store.newestWhole(matching: identity, before: bound)
            if let other = refusals.first(where: \.isMismatch) {
                throw RunDirectoryError(path: path, reason: .otherCheckpoint(other))
            }
            point.warnings += refusals.map(\.description)
            guard let found else { break }
            do {
                _ = try found.log.hash(of: metricsPath)
                point.checkpoint = found
                return point
            } catch let error as MetricsError {
                point.warnings.append(
                    "checkpoint \(checkpointPath(step: found.step)) is not used: \(error)")
                logFault = error
                bound = found.step
            }
        }
        // Training from the start would throw a log away that a person may still restore.
        logFault = try logFault ?? MetricsFile.fault(in: metricsPath)
        if let logFault { throw logFault }
        return point
    }

    /// Makes an unfinished run's folder one that a run may begin in: its checkpoints go, and its
    /// log is emptied. Files of others stay.
    ///
    /// The log is the last, so that a crash on the way leaves a run that can be told.
    package func startOver() throws(FileError) {
        try checkpointStore().removeAll()
        try removeWeights(except: nil)
        CrashPoint.statesRemoved.pass()
        let file = try FileDisk().open(metricsPath, .update)
        try file.truncate(to: 0)
        try file.synchronize()
        CrashPoint.logEmptied.pass()
    }

    /// What only an unfinished run needs goes: training states, and the weights of earlier ends.
    package func removeTrainingStates(weightsOf step: Int) throws(FileError) {
        try checkpointStore().removeAll()
        try removeWeights(except: step)
    }

    private func removeWeights(except step: Int?) throws(FileError) {
        let disk = FileDisk()
        for weights in checkpoints where weights.step != step {
            try disk.removeFile(weights.path)
            // A folder that holds anything else stays.
            try? disk.removeFolder(checkpointPath(step: weights.step))
        }
    }
}
