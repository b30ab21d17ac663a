/// What happens at each step of a run: its examples, its leaves, and whether an evaluation follows.
///
/// A pure function of the configuration and the size of the data set, so every role has the same.
package struct RunSchedule: Hashable, Sendable {
    /// The examples that are trained on in an epoch.
    package let exampleCount: Int
    package let batchSize: Int
    package let microBatch: Int
    package let epochs: Int
    package let evaluateEvery: Int?
    /// The steps of an epoch, its last, shorter batch included.
    package let stepsPerEpoch: Int

    /// - Precondition: the configuration is valid for this count of training examples.
    package init(_ configuration: RunConfiguration, trainingExampleCount: Int) {
        exampleCount = trainingExampleCount - configuration.validationExamples
        batchSize = configuration.batchSize
        microBatch = configuration.effectiveMicroBatch
        epochs = configuration.epochs
        evaluateEvery = configuration.evaluateEvery
        precondition(exampleCount > 0 && batchSize > 0, "a validated configuration")
        stepsPerEpoch = (exampleCount + batchSize - 1) / batchSize
    }

    package var totalSteps: Int { stepsPerEpoch * epochs }
    /// The step that is never computed: the weights of it are the result.
    package var endStep: Step { Step(totalSteps) }

    /// The epoch of a step, from 0.
    package func epoch(of step: Step) -> Int { step.index / stepsPerEpoch }

    /// Where in the epoch's sample order the step's batch lies.
    package func examples(of step: Step) -> Range<Int> {
        let start = (step.index % stepsPerEpoch) * batchSize
        return start..<min(start + batchSize, exampleCount)
    }

    package func leafCount(of step: Step) -> Int {
        (examples(of: step).count + microBatch - 1) / microBatch
    }

    package func tree(of step: Step) -> ReductionTree {
        ReductionTree(leafCount: leafCount(of: step))
    }

    /// Where in the step's batch the examples of a leaf lie; the last leaf may be shorter.
    package func examples(ofLeaf leaf: Int, of step: Step) -> Range<Int> {
        let start = leaf * microBatch
        return start..<min(start + microBatch, examples(of: step).count)
    }

    /// The leaf count of a full batch, and of the epoch's last, shorter one where there is one.
    package var leafCounts: (full: Int, last: Int) {
        (leafCount(of: 0), leafCount(of: Step(stepsPerEpoch - 1)))
    }

    package func epochEnds(after step: Step) -> Bool { (step.index + 1) % stepsPerEpoch == 0 }

    /// True if the weights that this step makes (those of `step.next`) are evaluated.
    package func evaluationFollows(_ step: Step) -> Bool {
        if epochEnds(after: step) { return true }
        guard let evaluateEvery else { return false }
        return (step.index + 1) % evaluateEvery == 0
    }

    /// The first weights at or after those of `step` that are evaluated; nil when none are left.
    package func evaluation(atOrAfter step: Step) -> Step? {
        guard step <= endStep else { return nil }
        let updates = max(1, step.index)
        let epochEnd = (updates + stepsPerEpoch - 1) / stepsPerEpoch * stepsPerEpoch
        guard let evaluateEvery else { return Step(epochEnd) }
        return Step(min(epochEnd, (updates + evaluateEvery - 1) / evaluateEvery * evaluateEvery))
    }
}
