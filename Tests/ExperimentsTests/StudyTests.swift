import Datasets
import Experiments
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Report
import RunRecords
import TerminalText
import TestSupport
import Testing

/// A whole study in this process, on so few digits that it takes seconds.
@Suite struct StudyTests {
    private struct Silent: SweepObserver {
        func notice(_ text: String) {}
        func progress(_ progress: SweepProgress) {}
        func runEnded(_ run: SweepResult.Run, progress: SweepProgress) {}
    }

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A cluster of two workers cannot be had.
    @Test func aQuestionThatFailsCostsItsOwnAnswerOnly() throws {
        let dataset = SyntheticDigits(trainCount: 240, testCount: 100).dataset()
        let plan = StudyPlan(.quick, trainingExampleCount: dataset.train.count)
        let study = Study(
            plan, dataset: dataset, directory: folder.path, parallelism: 2, kernels: .baseline
        ) { workers in
            Sweep.Cluster(
                placement: SessionPlacement(workers: workers), waitTimeoutMilliseconds: 1_000
            ) { request, observer, interruption in
                guard workers == 1 else { throw RoleError(.unavailable, "no sockets are left") }
                return Roles.trainHere(request, observer: observer, interruption: interruption)
            }
        }
        let end = try study.run(observer: Silent(), interruption: Interruption()) { _, _ in }
        let report = try end.get()
        #expect(report.failed.count == 1)
        #expect(report.failed.first?.contains("workers-2: no sockets are left") == true)
        #expect(report.failureCode == .unavailable)
        let page = try report.page().markdown
        #expect(page.contains("the same bits") && page.contains("| failed |"))
        #expect(!page.contains("DIFFERENT"))
        // The next start asks it again, and comes to the whole answer.
        let again = Study(
            plan, dataset: dataset, directory: folder.path, parallelism: 2, kernels: .baseline
        ) { workers in
            Sweep.Cluster(
                placement: SessionPlacement(workers: workers), waitTimeoutMilliseconds: 1_000
            ) { request, observer, interruption in
                Roles.trainHere(request, observer: observer, interruption: interruption)
            }
        }
        let whole = try again.run(observer: Silent(), interruption: Interruption()) { _, _ in }
            .get()
        #expect(whole.failed.isEmpty)
        #expect(try !whole.page().markdown.contains("| failed |"))
    }

    @Test func weightsAreComparedBySeed() {
        func runs(_ hashes: [UInt64: String]) -> [RunOutcome] {
            hashes.map { seed, hash in
                var run = RunOutcome(run: Samples.run(seed: seed), provenance: Samples.provenance)
                run.add(.end(Samples.end(seed: seed, weightsSHA256: hash)))
                return run
            }
        }
        func text(_ own: [UInt64: String], _ base: [UInt64: String]) -> String {
            WeightsComparison(runs(own), with: runs(base), of: 2).text
        }
        #expect(text([1: "a", 2: "b"], [1: "a", 2: "b"]) == "the same bits")
        #expect(text([1: "a", 2: "b"], [1: "a", 2: "c"]) == "DIFFERENT")
        // Runs that failed are missing, and so are weights that were lost.
        #expect(text([2: "b"], [1: "a", 2: "b"]) == "the same bits (1 of 2)")
        #expect(text([1: "a", 2: "b"], [2: "b"]) == "the same bits (1 of 2)")
        #expect(text([2: "c"], [1: "a", 2: "b"]) == "DIFFERENT")
        #expect(text([:], [1: "a"]) == "failed")
        #expect(text([1: ""], [1: ""]) == "failed")
        #expect(text([1: "a"], [2: "b"]) == "nothing to compare with")
        #expect(text([:], [:]) == "failed")
    }
}
