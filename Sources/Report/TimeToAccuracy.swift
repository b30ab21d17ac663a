package import RunRecords
import Statistics

/// How long the runs of a group took to a test accuracy.
struct TimeToAccuracy {
    let group: RunGroup
    let threshold: Double
    let reached: [(run: RunOutcome, point: CurvePoint)]

    init(_ group: RunGroup, threshold: Double) {
        self.group = group
        self.threshold = threshold
        reached = group.outcomes.compactMap { run in
            let crossing = run.crossing(of: threshold)
            return crossing.isReached ? (run, crossing.point) : nil
        }
    }

    func median(_ value: (RunOutcome, CurvePoint) -> Double) -> Double? {
        Quantiles.median(reached.map { value($0.run, $0.point) }, of: group.runs.count)
    }

    /// Nil also where a run shared the machine with others.
    var medianSeconds: Double? {
        group.outcomes.allSatisfy(\.hadMachineAlone) ? median { $1.seconds } : nil
    }
}

extension RunOutcome {
    /// Examples that the first `step` updates trained on; an epoch's last batch may be shorter.
    package func examples(atStep step: Int) -> Int {
        let batch = batchSize ?? 0
        guard let epoch = epochs.first, epoch.step > 0 else { return step * batch }
        let (whole, rest) = step.quotientAndRemainder(dividingBy: epoch.step)
        return whole * epoch.examples + min(rest * batch, epoch.examples)
    }
}
