/// The whole training state after `step` updates: everything that the next step and the log depend
/// on.
///
/// Vectors are flat, in layout order, whatever number of servers held them.
package struct Checkpoint: Equatable, Sendable {
    /// Updates done.
    package var step: Int
    package var weights: [Float]
    /// The optimiser's vectors beside the weights, each as long as these: none for plain gradient
    /// descent, one with momentum, two with Adam.
    package var state: [[Float]]
    package var provenance: Provenance
    package var arithmeticVersion: Int
    package var recording: RecordingState
    /// Where the log stood.
    package var log: LogMark

    package init(
        step: Int, weights: [Float], state: [[Float]], provenance: Provenance,
        arithmeticVersion: Int, recording: RecordingState, log: LogMark
    ) {
        precondition(
            state.allSatisfy { $0.count == weights.count }, "state as long as the weights")
        self.step = step
        self.weights = weights
        self.state = state
        self.provenance = provenance
        self.arithmeticVersion = arithmeticVersion
        self.recording = recording
        self.log = log
    }

    /// What a run that continues from it must have in common with it.
    package var identity: CheckpointIdentity {
        CheckpointIdentity(
            provenance: provenance, arithmeticVersion: arithmeticVersion,
            parameterCount: weights.count, stateCount: state.count)
    }
}

/// Which runs may continue from a checkpoint.
package struct CheckpointIdentity: Equatable, Sendable {
    package var provenance: Provenance
    package var arithmeticVersion: Int
    /// Of the flat vector, in floats.
    package var parameterCount: Int
    /// The optimiser's vectors.
    package var stateCount: Int

    package init(
        provenance: Provenance, arithmeticVersion: Int, parameterCount: Int, stateCount: Int
    ) {
        self.provenance = provenance
        self.arithmeticVersion = arithmeticVersion
        self.parameterCount = parameterCount
        self.stateCount = stateCount
    }

    /// How a checkpoint of `other` differs, for a person; nil where it does not.
    func difference(from other: CheckpointIdentity) -> String? {
        let own = provenance
        let found = other.provenance
        if own.datasetSHA256 != found.datasetSHA256 {
            return "it belongs to the data set \(found.dataset) (SHA-256 "
                + "\(found.datasetSHA256.prefix(12))), and the run's is \(own.dataset) "
                + "(\(own.datasetSHA256.prefix(12)))"
        }
        if arithmeticVersion != other.arithmeticVersion {
            return "it was computed with arithmetic version \(other.arithmeticVersion), and this "
                + "program has \(arithmeticVersion)"
        }
        if own.configurationSHA256 != found.configurationSHA256 {
            return "it belongs to configuration \(found.configurationSHA256.prefix(12)), and the "
                + "run's is \(own.configurationSHA256.prefix(12))"
        }
        if own.dataset != found.dataset {
            return "it names the data set \(found.dataset), and the run's is \(own.dataset)"
        }
        if parameterCount != other.parameterCount || stateCount != other.stateCount {
            return "it holds \(other.parameterCount) weights with \(other.stateCount) state "
                + "vectors, and the run has \(parameterCount) with \(stateCount)"
        }
        return nil
    }
}

/// A place in a log: all lines up to there, and what they hash to.
package struct LogMark: Codable, Equatable, Sendable {
    package var byteCount: Int
    /// Over those bytes, lower-case hexadecimal.
    package var sha256: String

    package init(byteCount: Int, sha256: String) {
        self.byteCount = byteCount
        self.sha256 = sha256
    }

    package enum CodingKeys: String, CodingKey {
        case byteCount = "byte_count"
        case sha256
    }
}
