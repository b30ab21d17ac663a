import LockstepProtocol
import LockstepRuntime
import RunRecords

extension Sweep {
    /// Writes the records of the runs that have the weights of others. Where such a one has failed,
    /// so has the run that was to follow from it.
    func decodeAgain(_ state: SweepState) {
        for (job, source) in state.redecoded {
            switch state.ending(of: source) {
            case .unfinished: break
            case .failed(let cause): state.end(job, .failed(cause))
            case .ended:
                do {
                    state.end(job, .ended(try decodedAgain(job, source)))
                } catch {
                    state.end(job, .failed(StopReason(recording: error)))
                }
            }
        }
    }

    private func decodedAgain(
        _ job: SweepState.Job, _ source: SweepState.Job
    ) throws -> RunOutcome {
        let lock = try FolderLock(job.directory.path)
        return try withExtendedLifetime(lock) {
            if let text = configurationFile?(job.run.configuration) {
                try job.directory.writeConfiguration(text)
            }
            return try RedecodedRun(job.run.configuration, directory: job.directory)
                .write(from: source.directory, dataset: dataset)
        }
    }
}
