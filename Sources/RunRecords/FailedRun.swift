import Formats

/// A run that could not be trained: what `--json` prints where another run has its end.
package struct FailedRun: Equatable, Sendable {
    /// The run's name in its sweep, and that of its folder.
    package var run: String
    package var directory: String
    /// The configuration's name, `ce-softmax` for instance.
    package var configuration: String
    /// Every setting by its name in files.
    package var settings: [String: String]
    package var provenance: Provenance
    package var seed: UInt64
    /// What happened and what to do, for a person.
    package var error: String
    /// The exit code of a program that trains this run alone.
    package var exitCode: Int32

    package init(
        run: String, directory: String, configuration: String, settings: [String: String],
        provenance: Provenance, seed: UInt64, error: String, exitCode: Int32
    ) {
        self.run = run
        self.directory = directory
        self.configuration = configuration
        self.settings = settings
        self.provenance = provenance
        self.seed = seed
        self.error = error
        self.exitCode = exitCode
    }

    private enum CodingKeys: String, CodingKey {
        case status, run, directory, configuration, seed, settings, error
        case exitCode = "exit_code"
    }

    /// One object without a newline. Its `status` is none that an end has.
    package var json: String {
        var lines = JSONLines()
        lines.begin()
        lines.add(CodingKeys.status, "failed")
        lines.add(CodingKeys.run, run)
        lines.add(CodingKeys.directory, directory)
        lines.add(CodingKeys.configuration, configuration)
        lines.add(CodingKeys.seed, seed)
        lines.add(CodingKeys.settings, settings)
        lines.add(CodingKeys.error, error)
        lines.add(CodingKeys.exitCode, exitCode)
        lines.add(members: provenance.stamp)
        lines.end()
        return String(decoding: lines.bytes.dropLast(), as: UTF8.self)
    }
}
