import RunRecords

/// How often a run's state is written to its folder, and how much of it is kept. Moves no bit.
package struct CheckpointPolicy: Hashable, Sendable {
    /// Between two checkpoints; 0 for none but at the end of a run that is interrupted.
    package var seconds: Double
    /// The newest so many are kept.
    package var keep: Int

    /// One of the seed's model takes some milliseconds of one core: far below the 2 % that it may
    /// cost. With the time that it takes to be fetched and written, no more than two seconds of
    /// work are ever computed again.
    package static let defaultSeconds = 1.5

    /// The end of an epoch is a good place, and no reason to write many times a second.
    private static let epochEndSeconds = 1.0

    package init(
        seconds: Double = defaultSeconds, keep: Int = CheckpointStore.defaultKeep
    ) {
        precondition(seconds >= 0 && keep >= 1, "a validated policy")
        self.seconds = seconds
        self.keep = keep
    }

    /// For the coordinator of a cluster: as long as any run where there are to be none but at an
    /// end that was asked for.
    var milliseconds: Int { seconds > 0 ? max(Int(seconds * 1_000), 1) : Int(Int32.max) }

    /// Whether it is time for one.
    ///
    /// - Parameter age: seconds since the last one, or since training began.
    func isDue(age: Double, endsEpoch: Bool) -> Bool {
        seconds > 0 && (age >= seconds || endsEpoch && age >= Self.epochEndSeconds)
    }
}
