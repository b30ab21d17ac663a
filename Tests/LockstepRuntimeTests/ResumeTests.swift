import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TestSupport
import Testing
import TrainingPlan

/// A run that was interrupted anywhere ends with the weights and the lines of one that was not.
@Suite struct ResumeTests {
    private let runs: ResumedRuns

    init() throws { runs = try ResumedRuns() }

    static let configurations: [RunConfiguration] = {
        var validated = ResumedRuns.configuration(.adam)
        validated.validationExamples = 130
        validated.evaluateEvery = 7
        validated.optimizer.weightDecay = 0.01
        validated.optimizer.schedule.shape = .cosine
        validated.optimizer.schedule.warmupSteps = 20
        var target = ResumedRuns.configuration(.nesterov, epochs: 50, batchSize: 64)
        target.targetAccuracy = 0.9
        target.evaluateEvery = 11
        return [
            ResumedRuns.configuration(.sgd), ResumedRuns.configuration(.momentum),
            ResumedRuns.configuration(.adam, epochs: 6), validated, target,
        ]
    }()

    /// Asked to end at random moments, again and again.
    @Test(arguments: configurations.indices)
    func interruptedAtRandomMoments(index: Int) throws {
        let configuration = Self.configurations[index]
        let start = Date()
        try runs.train(configuration, "whole")
        let seconds = Date().timeIntervalSince(start)
        let whole = try runs.lines("whole")
        var random = SeededRandom(seed: index)
        var resumes = 0
        var round = 0
        // Where the machine has become faster meanwhile, some end too late.
        while round < 3 || resumes == 0 && round < 10 {
            let name = "run-\(round)"
            var isDone = false
            while !isDone {
                let interruption = Interruption()
                let delay =
                    Double.random(in: seconds * 0.2...seconds * 0.9, using: &random)
                    / Double(1 + round)
                let timer = Thread {
                    usleep(UInt32(delay * 1e6))
                    interruption.request(StopReason(.interrupted, "enough"))
                }
                timer.start()
                let outcome = try runs.train(configuration, name, interruption: interruption)
                isDone = outcome?.end?.status.isFinal == true
                if !isDone { resumes += 1 }
            }
            #expect(try runs.lines(name) == whole)
            #expect(try runs.files(name) == runs.files("whole"))
            round += 1
        }
        #expect(resumes > 0)
    }

    /// The folder as it is in the middle of a run, with a checkpoint being written: what a killed
    /// process leaves.
    @Test func killedAtAnyMoment() throws {
        let configuration = ResumedRuns.configuration(epochs: 6)
        let runs = runs
        let live = runs.directory("live").path
        try runs.train(
            configuration, "live",
            observer: ResumedRuns.Witness { record in
                // Some time into the writing of a checkpoint.
                usleep(UInt32(record.epoch * 300))
                Self.copyTree(live, runs.directory("killed-\(record.epoch)").path)
            })
        let whole = try runs.lines("live")
        for epoch in 1...6 {
            try runs.train(configuration, "killed-\(epoch)")
            #expect(try runs.lines("killed-\(epoch)") == whole, "epoch \(epoch)")
            #expect(try runs.files("killed-\(epoch)") == runs.files("live"))
        }
    }

    /// Files may come and go meanwhile.
    private static func copyTree(_ path: String, _ target: String) {
        let manager = FileManager.default
        for file in (try? manager.subpathsOfDirectory(atPath: path)) ?? [] {
            guard let data = manager.contents(atPath: "\(path)/\(file)") else { continue }
            let folder = ("\(target)/\(file)" as NSString).deletingLastPathComponent
            try? manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
            _ = manager.createFile(atPath: "\(target)/\(file)", contents: data)
        }
    }

    @Test func theOutcomeHoldsAllRecords() throws {
        let configuration = ResumedRuns.configuration()
        let interruption = Interruption()
        let first = try #require(
            try runs.train(
                configuration, "run",
                observer: ResumedRuns.Witness { record in
                    if record.epoch == 2 { interruption.request(StopReason(.interrupted, "")) }
                }, interruption: interruption))
        #expect(first.end?.status == .interrupted && first.epochs.count == 2)
        let weights = RunDirectory(path: runs.directory("run").path).checkpoints
        #expect(weights.map(\.step) == [first.end?.steps])
        let second = try #require(try runs.train(configuration, "run"))
        #expect(second.epochs.count == 4)
        #expect(second.epochs.prefix(2) == first.epochs[...])
        // Training time continues where it stood.
        let seconds = second.epochs.map(\.seconds)
        #expect(seconds == seconds.sorted() && seconds[2] > seconds[1])
        #expect(try #require(second.end?.examplesPerSecond) > 0)
        #expect(runs.directory("run").checkpoints.map(\.step) == [second.end?.steps])
    }

    /// Nothing is left of the checkpoints' folder: the run begins again and says so.
    @Test func withoutACheckpointItBeginsAgain() throws {
        let configuration = ResumedRuns.configuration()
        let interruption = Interruption()
        try runs.train(
            configuration, "run",
            observer: ResumedRuns.Witness { _ in
                interruption.request(StopReason(.interrupted, "enough"))
            }, interruption: interruption)
        try FileManager.default.removeItem(atPath: runs.directory("run").checkpointsPath)
        var told: [String] = []
        let run = try runs.planned(configuration, "run") { told.append($0) }
        #expect(run.start == nil)
        #expect(told.count == 1 && told[0].contains("begins again at step 0"), "\(told)")
        try runs.train(configuration, "whole")
        try runs.train(configuration, "run")
        #expect(try runs.lines("run") == runs.lines("whole"))
    }

    /// The weights before a step that diverges are computed again, also from the middle of an
    /// epoch.
    @Test(arguments: [0, 5, 30])
    func divergesAlike(interruptedAfter step: Int) throws {
        var configuration = ResumedRuns.configuration(.momentum)
        configuration.optimizer.learningRate = 1e18
        let schedule = RunSchedule(
            configuration, trainingExampleCount: SmallDigits.dataset.train.count)
        let examples = SparseExamples(
            pixels: SmallDigits.dataset.train.pixels, labels: SmallDigits.dataset.train.labels,
            width: 784)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        func engine(_ checkpoint: Checkpoint?) -> LocalEngine {
            LocalEngine(
                configuration, schedule, examples: examples, kernels: KernelSet(.baseline),
                team: team, from: checkpoint)
        }
        func run(_ engine: LocalEngine, from first: Step) -> (Step, String?, [UInt32]) {
            var step = first
            while step < schedule.endStep {
                if let cause = engine.advance(step) {
                    return (step, cause, engine.weights.array.map(\.bitPattern))
                }
                step = step.next
            }
            return (step, nil, engine.weights.array.map(\.bitPattern))
        }
        let whole = run(engine(nil), from: 0)
        let stop = min(step, max(0, whole.0.index - 1))
        let first = engine(nil)
        for step in 0..<stop { #expect(first.advance(Step(step)) == nil) }
        let checkpoint = Checkpoint(
            step: stop, weights: first.weights.array, state: first.optimizerState.map(\.array),
            provenance: configuration.provenance(dataset: SmallDigits.dataset),
            arithmeticVersion: arithmeticVersion, recording: RecordingState(stepLineInterval: 1),
            log: LogMark(byteCount: 0, sha256: ""))
        let second = run(engine(checkpoint), from: Step(stop))
        #expect(whole.1 != nil)
        #expect(second.0 == whole.0 && second.1 == whole.1 && second.2 == whole.2)
    }
}
