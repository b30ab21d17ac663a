package import RunRecords
import Statistics
import TerminalText

/// What a run took in seconds is a figure where no other run was trained beside it.
extension RunOutcome {
    package var ownSeconds: Double? { hadMachineAlone ? end?.seconds : nil }

    package var ownExamplesPerSecond: Double? { hadMachineAlone ? end?.examplesPerSecond : nil }

    /// “host, 2 cores, avx512, 1 run at a time”, as far as the log tells.
    package var machineText: String {
        [
            run.machine?.host, run.machine.map { Figures.plural($0.cores, "core") },
            run.versions["kernels"],
            end?.parallelism.map { "\(Figures.plural($0, "run")) at a time" },
        ].compactMap(\.self).joined(separator: ", ")
    }
}

/// The x axes of a chart over training: seconds are one of them where all runs had the machine to
/// themselves.
struct TrainingAxes {
    let axes: [ChartAxis]

    init(_ runs: [RunOutcome]) {
        axes =
            [.steps, .epochs, .examples]
            + (runs.allSatisfy(\.hadMachineAlone) ? [.seconds] : [])
    }

    func places(of point: CurvePoint, in run: RunOutcome) -> [Double] {
        let examples = Double(run.examples(atStep: point.step))
        return Array(
            [Double(point.step), point.epoch, examples, point.seconds].prefix(axes.count))
    }
}
