import LockstepRuntime
import Report
package import TrainingPlan

/// What the study trains: how many seeds, rates, batches and epochs each of its questions gets.
package struct StudyPlan: Sendable {
    package enum Size: String, CaseIterable, Sendable {
        case quick, standard, full
    }

    /// Seeds are 1, 2, 3, …
    struct Question: Sendable {
        var seeds: Int
        var epochs: Int
        /// Multiples of a base rate that are tried, each with the first tuning seed.
        var rateFactors: [Double] = []
        /// With so many seeds the rate has to be the best that is chosen: one seed may train at a
        /// rate at which others collapse.
        var tuningSeeds = 1
    }

    package let size: Size
    /// The three presets at their defaults.
    let presets: Question
    /// The presets at their defaults with held-out examples, on which the steps to a target are
    /// read.
    let times: Question
    /// What mse-tanh is compared with where saturation is in question, at the same defaults and
    /// with the first seeds of ``presets``.
    let controls: Question
    let ablation: Question
    /// Rates are multiples of the default, scaled with the fourth root of the batch: the best of
    /// cross-entropy grows faster and that of MSE+tanh hardly at all, and the multiples reach both.
    /// Its epochs are the budget of examples, the same at every batch.
    let scale: Question
    let batchSizes: [Int]
    let workers: Question
    let workerCounts: [Int]
    /// The last training examples, on which rates are chosen and thresholds are read.
    let validationExamples: Int

    package init(_ size: Size, trainingExampleCount: Int) {
        self.size = size
        validationExamples = trainingExampleCount / 6
        let batches: [Int]
        switch size {
        case .quick:
            presets = Question(seeds: 8, epochs: 3)
            times = Question(seeds: 8, epochs: 3)
            controls = Question(seeds: 3, epochs: 3)
            ablation = Question(seeds: 3, epochs: 2, rateFactors: [1, 4, 16])
            scale = Question(seeds: 8, epochs: 6, rateFactors: [1, 2, 4], tuningSeeds: 2)
            batches = [32, 256, 2_048]
            workers = Question(seeds: 1, epochs: 1)
            workerCounts = [1, 2]
        case .standard:
            presets = Question(seeds: 24, epochs: 10)
            times = Question(seeds: 24, epochs: 10)
            controls = Question(seeds: 8, epochs: 10)
            ablation = Question(
                seeds: 8, epochs: 5, rateFactors: [0.5, 1, 2, 4, 8, 16], tuningSeeds: 3)
            scale = Question(
                seeds: 10, epochs: 20, rateFactors: [0.5, 1, 2, 4, 8], tuningSeeds: 3)
            batches = (4...14).map { 1 << $0 }
            workers = Question(seeds: 1, epochs: 3)
            workerCounts = [1, 2, 4, 8]
        case .full:
            presets = Question(seeds: 40, epochs: 20)
            times = Question(seeds: 40, epochs: 20)
            controls = Question(seeds: 10, epochs: 20)
            ablation = Question(
                seeds: 10, epochs: 10, rateFactors: [0.5, 1, 2, 4, 8, 16], tuningSeeds: 5)
            scale = Question(
                seeds: 20, epochs: 40, rateFactors: [0.25, 0.5, 1, 2, 4, 8], tuningSeeds: 5)
            batches = (4...14).map { 1 << $0 }
            workers = Question(seeds: 3, epochs: 5)
            workerCounts = [1, 2, 4, 8, 16]
        }
        let trained = trainingExampleCount - validationExamples
        batchSizes = batches.filter { $0 <= trained / 2 }
    }

    /// Every question with the runs that it trains in any case; where rates are still to be chosen,
    /// with the first one.
    package var questions: [(name: String, runs: [RunConfiguration])] {
        func trials(_ question: Question, _ rates: [Double]) -> [(rate: Double, seed: UInt64)] {
            rates.enumerated().flatMap { index, rate in
                question.trialSeeds.prefix(index == 0 ? question.tuningSeeds : 1).map { (rate, $0) }
            }
        }
        let points = batchSizes.flatMap { batch in
            Self.scalePresets.map { (preset: $0, batchSize: batch) }
        }
        return [
            ("presets", presetRuns),
            ("times", timeRuns),
            ("controls", controlRuns),
            (
                "ablation-rates",
                Self.variants.flatMap { variant in
                    trials(ablation, ablationRates).map {
                        ablationRun(variant, rate: $0.rate, seed: $0.seed)
                    }
                }
            ),
            (
                "ablation",
                Self.variants.flatMap { variant in
                    Self.seeds(ablation.seeds).map {
                        ablationRun(variant, rate: ablationRates[0], seed: $0)
                    }
                }
            ),
            (
                "scale-rates",
                points.flatMap { preset, batchSize in
                    trials(scale, scaleRates(batchSize: batchSize)).map {
                        scaleRun(preset, batchSize: batchSize, rate: $0.rate, seed: $0.seed)
                    }
                }
            ),
            (
                "scale",
                points.flatMap { preset, batchSize in
                    Self.seeds(scale.seeds).map {
                        scaleRun(
                            preset, batchSize: batchSize, rate: scaleRates(batchSize: batchSize)[0],
                            seed: $0)
                    }
                }
            ),
            ("workers", workerRuns),
        ]
    }

    // MARK: The seed's three

    var presetRuns: [RunConfiguration] {
        Self.seeds(presets.seeds).flatMap { seed in
            RunConfiguration.Preset.allCases.map { preset in
                var run = RunConfiguration(preset: preset)
                run.epochs = presets.epochs
                run.seed = seed
                return run
            }
        }
    }

    // MARK: Time to a target

    var timeRuns: [RunConfiguration] {
        Self.seeds(times.seeds).flatMap { seed in
            Self.scalePresets.map { preset in
                var run = RunConfiguration(preset: preset)
                run.epochs = times.epochs
                run.seed = seed
                run.validationExamples = validationExamples
                run.evaluateEvery = Self.readingInterval(batchSize: run.batchSize)
                run.targetAccuracy = Comparison.thresholds.last
                return run
            }
        }
    }

    /// Steps between two looks at the held-out examples: every 100 steps or 3,200 examples,
    /// whichever comes first.
    static func readingInterval(batchSize: Int) -> Int {
        max(1, min(mostStepsUnread, mostExamplesUnread / batchSize))
    }

    static let mostStepsUnread = 100
    static let mostExamplesUnread = 3_200

    // MARK: Saturation

    /// mse-tanh with another hidden layer, or with outputs that cannot saturate.
    static let controlNetworks: [NetworkArchitecture] = {
        let changes: [(inout NetworkArchitecture) -> Void] = [
            { $0.hidden = .relu }, { $0.hidden = .sigmoid }, { $0.output = .identity },
        ]
        return changes.map { change in
            var network = RunConfiguration.Preset.mseTanh.architecture
            change(&network)
            return network
        }
    }()

    var controlRuns: [RunConfiguration] {
        Self.seeds(controls.seeds).flatMap { seed in
            Self.controlNetworks.map { network in
                RunConfiguration(
                    name: "custom", architecture: network, epochs: controls.epochs, seed: seed)
            }
        }
    }

    // MARK: Which part does it?

    /// Loss, output, hidden activation and targets, where they fit together.
    static let variants: [NetworkArchitecture] = {
        var variants: [NetworkArchitecture] = []
        for loss in [Loss.mse, .crossEntropy] {
            for output in [Activation.tanh, .identity, .sigmoid, .softmax] {
                if loss == .crossEntropy, output == .tanh || output == .identity { continue }
                let targets: [TargetEncoding] =
                    output == .tanh || output == .identity ? [.zeroOne, .plusMinusOne] : [.zeroOne]
                for target in targets {
                    for hidden in [Activation.tanh, .relu] {
                        variants.append(
                            NetworkArchitecture(
                                hidden: hidden, output: output, loss: loss, targets: target))
                    }
                }
            }
        }
        return variants
    }()

    func ablationRun(
        _ variant: NetworkArchitecture, rate: Double, seed: UInt64
    ) -> RunConfiguration {
        var run = RunConfiguration(
            name: "custom", architecture: variant, batchSize: Self.ablationBatchSize,
            epochs: ablation.epochs, seed: seed, validationExamples: validationExamples)
        run.optimizer.learningRate = rate
        return run
    }

    var ablationRates: [Double] { ablation.rateFactors.map { $0 * Self.baseRate } }

    private static let ablationBatchSize = 128
    /// The default of every script.
    static let baseRate = 0.001

    // MARK: At scale

    static let scalePresets: [RunConfiguration.Preset] = [.mseTanh, .ceSoftmax]

    func scaleRun(
        _ preset: RunConfiguration.Preset, batchSize: Int, rate: Double, seed: UInt64
    ) -> RunConfiguration {
        var run = RunConfiguration(preset: preset)
        run.batchSize = batchSize
        run.optimizer.learningRate = rate
        run.seed = seed
        run.epochs = scale.epochs
        run.validationExamples = validationExamples
        run.targetAccuracy = Comparison.primaryThreshold
        run.evaluateEvery = Self.readingInterval(batchSize: batchSize)
        return run
    }

    func scaleRates(batchSize: Int) -> [Double] {
        let base = Self.baseRate * (Double(batchSize) / 32).squareRoot().squareRoot()
        return scale.rateFactors.map { Self.rounded(base * $0) }
    }

    /// Two digits are fine enough for a rate, and read well.
    static func rounded(_ rate: Double) -> Double {
        // Divided by a whole number, so that it is the nearest to what is shown.
        var scale = 10.0
        while rate * scale < 10 { scale *= 10 }
        return (rate * scale).rounded() / scale
    }

    // MARK: Workers

    /// Once for each count of workers.
    var workerRuns: [RunConfiguration] {
        Self.seeds(workers.seeds).flatMap { seed in
            Self.scalePresets.map { workerRun($0, seed: seed) }
        }
    }

    private func workerRun(_ preset: RunConfiguration.Preset, seed: UInt64) -> RunConfiguration {
        var run = RunConfiguration(preset: preset)
        run.batchSize = Self.workersBatchSize
        run.epochs = workers.epochs
        run.seed = seed
        return run
    }

    static let workersBatchSize = 512

    static func seeds(_ count: Int) -> ClosedRange<UInt64> { 1...UInt64(count) }
}

extension StudyPlan.Question {
    /// Rates are chosen with other seeds than those that are reported.
    var trialSeeds: [UInt64] { StudyPlan.seeds(tuningSeeds).map { 1_000 + $0 } }
}
