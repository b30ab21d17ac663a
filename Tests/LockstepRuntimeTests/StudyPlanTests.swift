import LockstepProtocol
import LockstepRuntime
import Testing

struct StudyPlanTests {
    /// What is planned can be trained, no two runs of a question are one, and the standard form is as large
    /// as it is said to be.
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

    /// Rates are chosen with other seeds than those that are reported.
    @Test func ratesAreChosenWithOtherSeeds() {
        let plan = StudyPlan(.standard, trainingExampleCount: 60_000)
        for name in ["ablation", "scale"] {
            let chosen = plan.questions.first { $0.name == name }?.runs ?? []
            let trials = plan.questions.first { $0.name == name + "-rates" }?.runs ?? []
            #expect(!chosen.isEmpty && !trials.isEmpty)
            #expect(Set(chosen.map(\.seed)).isDisjoint(with: trials.map(\.seed)))
            #expect((chosen + trials).allSatisfy { $0.validationExamples == 10_000 })
        }
    }
}
