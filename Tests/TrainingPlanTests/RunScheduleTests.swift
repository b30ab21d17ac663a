import Testing
import TrainingPlan

@Suite struct RunScheduleTests {
    /// 1,000 examples in batches of 300 with leaves of 70: 3 full steps and one of 100 examples.
    private var schedule: RunSchedule {
        RunSchedule(
            RunConfiguration(
                batchSize: 300, microBatch: 70, epochs: 2, validationExamples: 24,
                evaluateEvery: 3), trainingExampleCount: 1024)
    }

    @Test func theLastShorterBatchIsUsed() {
        #expect(schedule.stepsPerEpoch == 4)
        #expect(schedule.totalSteps == 8)
        #expect(schedule.endStep == 8)
        #expect(
            (0..<8).map { schedule.examples(of: Step($0)) }.map(\.count)
                == [300, 300, 300, 100, 300, 300, 300, 100])
        #expect(schedule.examples(of: 7) == 900..<1000)
        #expect(schedule.epoch(of: 3) == 0 && schedule.epoch(of: 4) == 1)
    }

    @Test func leavesCoverTheBatch() {
        #expect(schedule.leafCounts == (5, 2))
        for step in (0..<8).map({ Step($0) }) {
            var end = 0
            for leaf in 0..<schedule.leafCount(of: step) {
                let examples = schedule.examples(ofLeaf: leaf, of: step)
                #expect(examples.lowerBound == end && !examples.isEmpty)
                end = examples.upperBound
            }
            #expect(end == schedule.examples(of: step).count)
        }
        #expect(schedule.examples(ofLeaf: 4, of: 0) == 280..<300)
        #expect(schedule.examples(ofLeaf: 1, of: 3) == 70..<100)
    }

    @Test func evaluationsFollowEpochsAndTheInterval() {
        let evaluated = (0..<8).filter { schedule.evaluationFollows(Step($0)) }
        #expect(evaluated == [2, 3, 5, 7])
        #expect((0..<8).filter { schedule.epochEnds(after: Step($0)) } == [3, 7])
        for weights in 0...9 {
            let next = evaluated.map { $0 + 1 }.first { $0 >= weights }
            #expect(schedule.evaluation(atOrAfter: Step(weights)) == next.map { Step($0) })
        }
    }

    @Test func anEvenEpochHasOneLeafCount() {
        let schedule = RunSchedule(RunConfiguration(), trainingExampleCount: 60_000)
        #expect(schedule.stepsPerEpoch == 1875)
        #expect(schedule.leafCounts == (2, 2))
    }
}
