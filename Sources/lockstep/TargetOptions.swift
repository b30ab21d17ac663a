import ArgumentParser

/// The accuracies at which convergence is timed.
struct TargetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The test accuracies at which convergence is timed; default 0.95,0.96,0.97, or what the "
                + "runs reach where that is less.", valueName: "list"), transform: Self.list)
    var targetsAt: [Double]?

    /// Ascending; nil for those that the runs call for.
    var values: [Double]? { targetsAt }

    private static func list(_ text: String) throws -> [Double] {
        let targets = text.split(separator: ",", omittingEmptySubsequences: false).map {
            Double($0.filter { $0 != " " }) ?? .nan
        }
        guard targets.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw ValidationError(
                "--targets-at \(text): an accuracy is above 0 and at most 1; "
                    + "give for example 0.85,0.88")
        }
        guard Set(targets).count == targets.count else {
            throw ValidationError("--targets-at \(text): duplicate accuracy; give each once")
        }
        return targets.sorted()
    }
}
