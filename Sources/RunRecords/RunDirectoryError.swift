/// The folder is taken by something else (exit code 78).
package struct RunDirectoryError: Error, Equatable, CustomStringConvertible {
    package struct Run: Equatable, Sendable {
        package var configuration: String
        package var seed: UInt64
        package var configurationSHA256: String

        fileprivate var text: String {
            "\(configuration), seed \(seed), configuration \(configurationSHA256.prefix(12))"
        }
    }

    package enum Reason: Equatable, Sendable {
        case notARun
        case otherRun(found: Run, asked: Run)
        case otherData(found: String, askedSHA256: String)
        /// A checkpoint that is not for this run or this program.
        case otherCheckpoint(CheckpointRefusal)
    }

    package let path: String
    package let reason: Reason

    package var description: String {
        switch reason {
        case .notARun:
            "\(path) holds files but no metrics.jsonl, so it is either not a run folder or has lost its log; "
                + "restore that, or name an empty or a new folder with --run-dir"
        case .otherRun(let found, let asked):
            "\(path) holds another run (\(found.text)) than the one asked for (\(asked.text)); "
                + "name another place with --run-dir, or leave it out for a fresh one"
        case .otherData(let found, let asked):
            "\(path) holds a run on other data (\(found)) than there is here (SHA-256 "
                + "\(asked.prefix(12))); name the run's data with --data, or another place with "
                + "--run-dir"
        case .otherCheckpoint(let refusal):
            "\(path) holds this run unfinished, and its checkpoint \(refusal.path) cannot be used: "
                + "\(refusal.reason); continue with the program and the data that wrote it, or name "
                + "another place with --run-dir"
        }
    }
}
