import Foundation
import TestSupport
import Testing
import TrainingPlan

@Suite struct RunConfigurationTests {
    @Test func defaultsAreTheSeeds() {
        let configuration = RunConfiguration()
        #expect(configuration.architecture.layers == [784, 128, 10])
        #expect(configuration.optimizer.kind == .adam)
        #expect(configuration.optimizer.learningRate == 0.001)
        #expect(configuration.batchSize == 32)
        #expect(configuration.epochs == 10)
        #expect(configuration.architecture.targets == .zeroOne)
        #expect(configuration.seed == 1)
    }

    @Test func presetsAreTheSeeds() {
        let tanh = RunConfiguration(preset: .mseTanh).architecture
        #expect(tanh.hidden == .tanh && tanh.output == .tanh && tanh.loss == .mse)
        #expect(tanh.decoding == .plain)
        var rescaled = RunConfiguration(preset: .mseTanhRescaled).architecture
        #expect(rescaled.decoding == .rescaled)
        rescaled.decoding = .plain
        #expect(rescaled == tanh)
        let softmax = RunConfiguration(preset: .ceSoftmax).architecture
        #expect(softmax.hidden == .relu && softmax.output == .softmax)
        #expect(softmax.loss == .crossEntropy)
    }

    @Test(arguments: [
        (1, 1), (16, 16), (20, 16), (32, 16), (1024, 16), (1025, 17), (2048, 32), (60000, 938),
    ])
    func microBatchDefault(batchSize: Int, microBatch: Int) {
        #expect(RunConfiguration(batchSize: batchSize).effectiveMicroBatch == microBatch)
    }

    @Test func namesAreTheFlagsWithUnderscores() {
        #expect(RunConfiguration.Key.outputActivation.flag == "--output-activation")
        for key in RunConfiguration.Key.allCases {
            #expect(key.flag == "--" + key.rawValue.replacing("_", with: "-"))
        }
    }

    @Test func canonicalTextIsStable() {
        #expect(
            RunConfiguration().canonicalText(datasetSHA256: "abc") == """
                arithmetic-version=1
                batch-size=32
                dataset-sha256=abc
                decode=plain
                epochs=10
                hidden=relu
                layers=784,128,10
                learning-rate=0.001
                loss=cross-entropy
                micro-batch=16
                optimizer=adam
                output=softmax
                schedule=constant
                seed=1
                targets=zero-one
                validation-examples=0
                warmup-steps=0
                weight-decay=0.0

                """)
    }

    @Test func theHashIsOverTheCanonicalTextAsUTF8() {
        let hash = RunConfiguration().configurationSHA256(datasetSHA256: "abc") { bytes in
            String(decoding: bytes, as: UTF8.self)
        }
        #expect(hash == RunConfiguration().canonicalText(datasetSHA256: "abc"))
    }

    @Test func everySettingButTheNameChangesTheCanonicalText() {
        let base = RunConfiguration().canonicalText(datasetSHA256: "abc")
        var texts = [base, RunConfiguration().canonicalText(datasetSHA256: "abd")]
        for (key, configuration) in RunConfiguration.oneChangeEach {
            let text = configuration.canonicalText(datasetSHA256: "abc")
            if key == .preset {
                #expect(text == base)
            } else {
                texts.append(text)
            }
        }
        #expect(Set(texts).count == texts.count)
        #expect(
            Set(RunConfiguration.oneChangeEach.map(\.0)) == Set(RunConfiguration.Key.allCases))
    }

    @Test func spelledOutDefaultMicroBatchIsTheSameConfiguration() {
        #expect(
            RunConfiguration(microBatch: 16).canonicalText(datasetSHA256: "a")
                == RunConfiguration().canonicalText(datasetSHA256: "a"))
    }

    @Test func validConfigurationsPass() throws {
        try RunConfiguration.everythingSet.validate(trainingExampleCount: 60_000)
        for preset in RunConfiguration.Preset.allCases {
            try RunConfiguration(preset: preset).validate(trainingExampleCount: 60_000)
        }
        var softmaxWithMSE = RunConfiguration()
        softmaxWithMSE.architecture.loss = .mse
        try softmaxWithMSE.validate(trainingExampleCount: 60_000)
        try RunConfiguration(batchSize: 100, targetAccuracy: 1, validationExamples: 900)
            .validate(trainingExampleCount: 1000)
    }

    @Test(arguments: BadSetting.all)
    func badSettingIsNamedWithValueAndRemedy(_ bad: BadSetting) {
        var configuration = RunConfiguration()
        bad.change(&configuration)
        let error = #expect(throws: ConfigurationError.self) {
            try configuration.validate(trainingExampleCount: 1000)
        }
        guard let error else { return }
        #expect(error.setting == bad.key)
        #expect(error.description.hasPrefix("\(bad.key.flag) \(bad.value): "))
        #expect(!error.remedy.isEmpty)
    }
}

/// A setting spoilt, and how the refusal must name it.
struct BadSetting: Sendable, CustomTestStringConvertible {
    let key: RunConfiguration.Key
    let value: String
    let change: @Sendable (inout RunConfiguration) -> Void

    var testDescription: String { "\(key.flag) \(value)" }

    init(
        _ key: RunConfiguration.Key, _ value: String,
        _ change: @escaping @Sendable (inout RunConfiguration) -> Void
    ) {
        self.key = key
        self.value = value
        self.change = change
    }

    static let all: [BadSetting] = [
        .init(.batchSize, "0") { $0.batchSize = 0 },
        .init(.batchSize, "-5") { $0.batchSize = -5 },
        .init(.batchSize, "1001") { $0.batchSize = 1001 },
        .init(.batchSize, "901") { ($0.batchSize, $0.validationExamples) = (901, 100) },
        .init(.batchSize, "1048577") { $0.batchSize = 1_048_577 },
        .init(.microBatch, "33") { $0.microBatch = 33 },
        .init(.microBatch, "0") { $0.microBatch = 0 },
        .init(.microBatch, "-1") { $0.microBatch = -1 },
        .init(.layers, "") { $0.architecture.layers = [] },
        .init(.layers, "784") { $0.architecture.layers = [784] },
        .init(.layers, "783,10") { $0.architecture.layers = [783, 10] },
        .init(.layers, "784,11") { $0.architecture.layers = [784, 11] },
        .init(.layers, "784,0,10") { $0.architecture.layers = [784, 0, 10] },
        .init(.layers, "784,-3,10") { $0.architecture.layers = [784, -3, 10] },
        .init(.layers, "784,9223372036854775807,10") {
            $0.architecture.layers = [784, Int.max, 10]
        },
        .init(.layers, "784,65536,65536,10") { $0.architecture.layers = [784, 65536, 65536, 10] },
        .init(
            .layers, ([784] + Array(repeating: 1, count: 64)).map { "\($0)" }.joined(separator: ",")
        ) { $0.architecture.layers = [784] + Array(repeating: 1, count: 64) },
        .init(.outputActivation, "tanh") { $0.architecture.output = .tanh },
        .init(.outputActivation, "relu") { $0.architecture.output = .relu },
        .init(.outputActivation, "identity") { $0.architecture.output = .identity },
        .init(.hiddenActivation, "softmax") { $0.architecture.hidden = .softmax },
        .init(.targets, "plus-minus-one") { $0.architecture.targets = .plusMinusOne },
        .init(.learningRate, "nan") { $0.optimizer.learningRate = .nan },
        .init(.learningRate, "-0.001") { $0.optimizer.learningRate = -0.001 },
        .init(.learningRate, "-0.0") { $0.optimizer.learningRate = -0.0 },
        .init(.learningRate, "inf") { $0.optimizer.learningRate = .infinity },
        .init(.learningRate, "1e+39") { $0.optimizer.learningRate = 1e39 },
        .init(.weightDecay, "nan") { $0.optimizer.weightDecay = .nan },
        .init(.weightDecay, "-1.0") { $0.optimizer.weightDecay = -1 },
        .init(.weightDecay, "inf") { $0.optimizer.weightDecay = .infinity },
        .init(.warmupSteps, "-1") { $0.optimizer.schedule.warmupSteps = -1 },
        .init(.epochs, "0") { $0.epochs = 0 },
        .init(.epochs, "-2") { $0.epochs = -2 },
        .init(.epochs, "1000001") { $0.epochs = 1_000_001 },
        .init(.targetAccuracy, "0.0") { $0.targetAccuracy = 0 },
        .init(.targetAccuracy, "1.01") { $0.targetAccuracy = 1.01 },
        .init(.targetAccuracy, "nan") { $0.targetAccuracy = .nan },
        .init(.validationExamples, "1000") { $0.validationExamples = 1000 },
        .init(.validationExamples, "-1") { $0.validationExamples = -1 },
        .init(.evaluateEvery, "0") { $0.evaluateEvery = 0 },
        .init(.preset, "a/b") { $0.name = "a/b" },
        .init(.preset, "") { $0.name = "" },
    ]
}

extension RunConfiguration {
    /// The default configuration with one setting changed, for every setting.
    static let oneChangeEach: [(Key, RunConfiguration)] = {
        let changes: [(Key, (inout RunConfiguration) -> Void)] = [
            (.preset, { $0.name = "other" }),
            (.layers, { $0.architecture.layers = [784, 127, 10] }),
            (.hiddenActivation, { $0.architecture.hidden = .tanh }),
            (.outputActivation, { $0.architecture.output = .sigmoid }),
            (.loss, { $0.architecture.loss = .mse }),
            (.targets, { $0.architecture.targets = .plusMinusOne }),
            (.decode, { $0.architecture.decoding = .rescaled }),
            (.optimizer, { $0.optimizer.kind = .sgd }),
            (.learningRate, { $0.optimizer.learningRate = 0.001.nextUp }),
            (.weightDecay, { $0.optimizer.weightDecay = 0.1 }),
            (.schedule, { $0.optimizer.schedule.shape = .step }),
            (.warmupSteps, { $0.optimizer.schedule.warmupSteps = 1 }),
            (.batchSize, { $0.batchSize = 31 }),
            (.microBatch, { $0.microBatch = 15 }),
            (.epochs, { $0.epochs = 11 }),
            (.seed, { $0.seed = 2 }),
            (.targetAccuracy, { $0.targetAccuracy = 0.9 }),
            (.validationExamples, { $0.validationExamples = 1 }),
            (.evaluateEvery, { $0.evaluateEvery = 100 }),
        ]
        return changes.map { key, change in
            var configuration = RunConfiguration()
            change(&configuration)
            return (key, configuration)
        }
    }()
}
