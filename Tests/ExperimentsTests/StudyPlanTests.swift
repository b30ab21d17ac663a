import Experiments
import LockstepRuntime
import Testing
import TrainingPlan

struct StudyPlanTests {
    /// What is planned can be trained, no two runs of a question are one, and the standard form is
    /// as large as it is said to be.
    @Test(arguments: StudyPlan.Size.allCases, [60_000, 2_000])
    func runsAreValidAndDistinct(size: StudyPlan.Size, examples: Int) throws {
        let plan = StudyPlan(size, trainingExampleCount: examples)
        var count = 0
        for (question, runs) in plan.questions {
            #expect(!runs.isEmpty, "\(question)")
            #expect(Set(runs).count == runs.count, "\(question)")
            for run in runs { try run.validate(trainingExampleCount: examples) }
            count += runs.count
        }
        if size == .standard, examples == 60_000 { #expect(count >= 600) }
    }

    @Test(arguments: StudyPlan.Size.allCases)
    func ratesAtScaleReadWell(size: StudyPlan.Size) {
        let plan = StudyPlan(size, trainingExampleCount: 60_000)
        let runs = plan.questions.first { $0.name == "scale-rates" }?.runs ?? []
        let rates = Set(runs.map(\.optimizer.learningRate))
        #expect(rates.count >= 5)
        for rate in rates {
            #expect(0.000_1...0.1 ~= rate)
            // “0.0017” and not “0.0017000000000000001”
            let digits = "\(rate)".drop { "0.".contains($0) }
            #expect(digits.count <= 2 || "\(rate)".contains("e"), "\(rate)")
        }
    }

    /// Rates are chosen with other seeds than those that are reported.
    @Test func ratesAreChosenWithOtherSeeds() {
        let plan = StudyPlan(.standard, trainingExampleCount: 60_000)
        for name in ["ablation", "scale"] {
            let chosen = plan.questions.first { $0.name == name }?.runs ?? []
            let trials = plan.questions.first { $0.name == name + "-rates" }?.runs ?? []
            #expect(!chosen.isEmpty && !trials.isEmpty)
            #expect(Set(chosen.map(\.seed)).isDisjoint(with: trials.map(\.seed)))
            #expect((chosen + trials).allSatisfy { $0.validationExamples == 10_000 })
            // One seed may train at a rate at which others collapse.
            #expect(Set(trials.map(\.seed)).count == 3)
        }
    }
}
