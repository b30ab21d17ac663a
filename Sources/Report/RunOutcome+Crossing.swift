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

    /// When the test accuracy reached `threshold`. A run that ended before its first evaluation did
    /// not reach it.
    package func crossing(of threshold: Double) -> Crossing {
        Crossing(of: threshold, in: testCurve)
            ?? .notReached(
                CurvePoint(
                    step: end?.steps ?? 0, epoch: 0, seconds: end?.seconds ?? 0, value: .nan))
    }
}
