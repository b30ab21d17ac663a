import Experiments
import Foundation
import LockstepRuntime
import Report
import Statistics
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

    /// mse-tanh with one part exchanged, at its defaults and with seeds that it is trained with.
    @Test func controlsDifferInOnePart() {
        let plan = StudyPlan(.standard, trainingExampleCount: 60_000)
        func runs(_ name: String) -> [RunConfiguration] {
            plan.questions.first { $0.name == name }?.runs ?? []
        }
        let mse = runs("presets").filter { $0.name == "mse-tanh" }
        let controls = runs("controls")
        #expect(Set(controls.map(\.architecture)).count == 3 && controls.count == 24)
        for control in controls {
            #expect(
                mse.contains { run in
                    var exchanged = run
                    exchanged.name = control.name
                    let isHidden = control.architecture.hidden != .tanh
                    if isHidden {
                        exchanged.architecture.hidden = control.architecture.hidden
                    } else {
                        exchanged.architecture.output = .identity
                    }
                    return exchanged == control
                })
        }
    }

    // MARK: The text

    /// The table “Runs” of the plan, and its rules, are those that the program follows.
    @Test func thePlanIsThatOfTheText() throws {
        let rows = StudyPlan.text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map {
            $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        try #require(rows.count == 8)
        for (column, size) in StudyPlan.Size.allCases.enumerated() {
            let plan = StudyPlan(size, trainingExampleCount: 60_000)
            for row in rows {
                let runs = plan.questions.first { row[0].hasPrefix("`\($0.name)`") }?.runs ?? []
                let trials = plan.questions.first { row[0].hasPrefix("`\($0.name.dropLast(6))`") }
                let seeds = Set(runs.map(\.seed)).count
                let epochs = Set(runs.map(\.epochs))
                let expected = row[column + 1]
                switch row[0].split(separator: ", ").last {
                case "seeds × epochs":
                    #expect(epochs.count == 1 && expected == "\(seeds) × \(epochs.first ?? 0)")
                case "seeds that choose a rate":
                    #expect(expected == "\(Set((trials?.runs ?? []).map(\.seed)).count)")
                default:
                    let batches = Set(runs.map(\.batchSize)).sorted().map(String.init)
                    let text =
                        batches.count > 3
                        ? "\(batches[0]), \(batches[1]), …, \(batches[batches.count - 1])"
                        : batches.joined(separator: ", ")
                    #expect(expected == text)
                }
            }
        }
        for rule in [
            "every 100 steps or 3,200 examples", "at most \(RateRace.mostWidenings) times",
            "\(Bootstrap.replicateCount / 1_000),000 replicates",
            "fewer than \(Verdict.fewestPairs) pairs for Student's test, fewer than "
                + "\(Bootstrap.fewestUnits) for the bootstrap",
            "a ratio of \(Comparison.ratioMargin)",
        ] {
            #expect(StudyPlan.text.contains(rule), "\(rule)")
        }
        #expect(StudyPlan.sha256.count == 64)
    }

    /// What is read is read as often at every batch, by one rule, and all have one budget.
    @Test func batchesAreReadByOneRule() {
        let plan = StudyPlan(.standard, trainingExampleCount: 60_000)
        let intervals = [16: 100, 32: 100, 64: 50, 512: 6, 4_096: 1, 16_384: 1]
        for run in plan.questions.first(where: { $0.name == "scale" })?.runs ?? [] {
            #expect(run.epochs == 20 && run.targetAccuracy == 0.95)
            if let interval = intervals[run.batchSize] { #expect(run.evaluateEvery == interval) }
        }
        for run in plan.questions.first(where: { $0.name == "times" })?.runs ?? [] {
            #expect(run.evaluateEvery == 100 && run.validationExamples == 10_000)
        }
    }
}
