package import RunRecords
package import Statistics

extension RunOutcome {
    /// Accuracy on the test set in order of steps, from epochs and the evaluations between them.
    package var testCurve: [CurvePoint] {
        let between = evaluations.filter { $0.split == .test }.map {
            CurvePoint(step: $0.step, epoch: $0.epoch, seconds: $0.seconds, value: $0.accuracy)
        }
        let ends = epochs.map {
            CurvePoint(
                step: $0.step, epoch: Double($0.epoch), seconds: $0.seconds, value: $0.testAccuracy)
        }
        let endSteps = Set(ends.map(\.step))
        return (between.filter { !endSteps.contains($0.step) } + ends).sorted { $0.step < $1.step }
    }

    /// Accuracy on the held-out examples, in order of steps.
    package var validationCurve: [CurvePoint] {
        evaluations.filter { $0.split == .validation }.map {
            CurvePoint(step: $0.step, epoch: $0.epoch, seconds: $0.seconds, value: $0.accuracy)
        }
    }

    /// When the test accuracy reached `threshold`.
    package func crossing(of threshold: Double) -> Crossing {
        crossing(of: threshold, in: testCurve)
    }

    /// When a curve of this run reached `threshold`. A run that diverged did not reach it, whatever
    /// it had been before; nor did one that ended before its first evaluation.
    package func crossing(of threshold: Double, in curve: [CurvePoint]) -> Crossing {
        if end?.status == .diverged, let last = curve.last { return .notReached(last) }
        return Crossing(of: threshold, in: curve)
            ?? .notReached(
                CurvePoint(
                    step: steps, epoch: 0, seconds: end?.seconds ?? 0, value: .nan))
    }

    /// The steps to `threshold`, for curves of runs that got there. One that diverged was watched
    /// for ever, and never does; one that ended for another reason was watched up to its last
    /// figure.
    package func steps(to threshold: Double, in curve: [CurvePoint]) -> TimeToEvent {
        let crossing = crossing(of: threshold, in: curve)
        let isForEver = end?.status == .diverged
        return TimeToEvent(
            isForEver ? .infinity : Double(crossing.point.step), isReached: crossing.isReached)
    }
}

extension LineChart.Run {
    /// A run's line over training, which ends as the run did.
    package init(of run: RunOutcome, points: [LineChart.Point]) {
        let hasDiverged = run.end?.status == .diverged
        self.init(
            label: "seed \(run.run.seed)", points: points,
            ending: hasDiverged ? .diverged : run.isCutShort ? .cutShort : .whole)
    }
}

extension RunOutcome {
    /// Updates of a whole epoch; nil where no epoch has ended and nothing was evaluated within one.
    var stepsPerEpoch: Int? {
        if let epoch = epochs.first { return epoch.step / epoch.epoch }
        return evaluations.last { $0.epoch > 0 }.map {
            Int((Double($0.step) / $0.epoch).rounded())
        }
    }
}
