import ArgumentParser
import Foundation
import LockstepProtocol
import Logging
import TrainingPlan
import ZeroMQ

// Every value is taken as raw text, `-5` included, so that our own messages can name flag, value
// and remedy; see `Settings`.

/// What a network computes, and from which seed.
struct NetworkOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("mse-tanh, mse-tanh-rescaled or ce-softmax.", valueName: "name"),
        completion: .choices(RunConfiguration.Preset.self))
    var preset: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Hidden activation: tanh, relu, sigmoid, identity.", valueName: "name"),
        completion: .choices(Activation.self))
    var hiddenActivation: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Output activation: tanh, softmax, sigmoid, identity, relu.", valueName: "name"),
        completion: .choices(Activation.self))
    var outputActivation: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("mse or cross-entropy.", valueName: "name"),
        completion: .choices(Loss.self))
    var loss: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("zero-one or plus-minus-one.", valueName: "name"),
        completion: .choices(TargetEncoding.self))
    var targets: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How outputs become a digit: plain, or rescaled by (x+1)/2.", valueName: "name"),
        completion: .choices(OutputDecoding.self))
    var decode: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of initial weights and sample order; default 1.", valueName: "n"))
    var seed: String?

    // Options that have another name now, so that a script is told which.
    @Option(parsing: .unconditional, help: .hidden) var configuration: String?
    @Option(parsing: .unconditional, help: .hidden) var hidden: String?
    @Option(parsing: .unconditional, help: .hidden) var output: String?

    func validate() throws {
        let former = ["configuration": configuration, "hidden": hidden, "output": output]
        for (name, text) in former.sorted(by: { $0.key < $1.key }) where text != nil {
            guard let key = SettingKey.renamed[name] else { continue }
            throw ValidationError("--\(name) is now \(key.flag).")
        }
    }

    var given: [SettingKey: String?] {
        [
            SettingKey(.preset): preset, SettingKey(.hiddenActivation): hiddenActivation,
            SettingKey(.outputActivation): outputActivation, SettingKey(.loss): loss,
            SettingKey(.targets): targets, SettingKey(.decode): decode, SettingKey(.seed): seed,
        ]
    }
}

/// How a network is trained.
struct TrainingOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Widths; default 784,128,10.", valueName: "list"))
    var layers: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("sgd, momentum, nesterov or adam (default).", valueName: "name"),
        completion: .choices(OptimizerSettings.Kind.self))
    var optimizer: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Default 0.001.", valueName: "rate"))
    var learningRate: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Decoupled, kernels only; default 0.", valueName: "rate"))
    var weightDecay: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Of the learning rate: constant (default), step or cosine.", valueName: "name"),
        completion: .choices(LearningRateSchedule.Shape.self))
    var schedule: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Steps of linear warm-up; default 0.", valueName: "n"))
    var warmupSteps: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Examples of a step, over all workers; default 32.", valueName: "n"))
    var batchSize: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Examples of a leaf of the sum; default max(16, batch/64).", valueName: "n"))
    var microBatch: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Default 10.", valueName: "n"))
    var epochs: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "End at the first evaluation that reaches this accuracy, for example 0.97.",
            valueName: "fraction"))
    var targetAccuracy: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Hold out this many training examples, stratified by label, to evaluate on; default 0.",
            valueName: "n"))
    var validationExamples: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Evaluate between epochs, too.", valueName: "steps"))
    var evaluateEvery: String?

    var given: [SettingKey: String?] {
        [
            SettingKey(.layers): layers, SettingKey(.optimizer): optimizer,
            SettingKey(.learningRate): learningRate, SettingKey(.weightDecay): weightDecay,
            SettingKey(.schedule): schedule, SettingKey(.warmupSteps): warmupSteps,
            SettingKey(.batchSize): batchSize, SettingKey(.microBatch): microBatch,
            SettingKey(.epochs): epochs, SettingKey(.targetAccuracy): targetAccuracy,
            SettingKey(.validationExamples): validationExamples,
            SettingKey(.evaluateEvery): evaluateEvery,
        ]
    }
}

/// Where a session on this host trains. Moves no bit.
struct PlacementOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Worker processes; default 2. 0 trains in this process.", valueName: "n"))
    var workers: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Of each worker; default 1.", valueName: "n"))
    var threads: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Parameter servers, a shard each, in the coordinator; default auto: in the workers.",
            valueName: "n|auto"))
    var servers: String?

    @Option(
        help: ArgumentHelp(
            "Where the workers find their coordinator, tcp://127.0.0.1:0 for example; default a "
                + "socket that no other user can reach.", valueName: "endpoint"))
    var bind: String?

    var given: [SettingKey: String?] {
        [.workers: workers, .threads: threads, .servers: servers]
    }

    /// The endpoint of `--bind`.
    ///
    /// - Throws: ``UsageError`` for one that other hosts could reach.
    func loopbackEndpoint() throws(UsageError) -> Endpoint? {
        guard let text = bind else { return nil }
        let endpoint = try tcpEndpoint(text, flag: "--bind")
        guard endpoint.isLoopback else {
            throw UsageError(
                "--bind \(text)", "the workers of this command are processes of this host",
                "give a loopback address; lockstep coordinator is for workers on several hosts")
        }
        return endpoint
    }
}

/// How often a run's state is kept, so that it can go on after any end. Moves no bit.
struct CheckpointOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Between checkpoints of the training state; default 1.5. 0: only when interrupted.",
            valueName: "seconds"))
    var checkpointSeconds: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Checkpoints of an unfinished run to keep, the newest; default 2.", valueName: "n"))
    var keepCheckpoints: String?

    var given: [SettingKey: String?] {
        [.checkpointSeconds: checkpointSeconds, .keepCheckpoints: keepCheckpoints]
    }
}

/// Data, files and output of a session.
struct SessionOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files.", valueName: "dir|mnist|synthetic"),
        completion: .directory)
    var data: String?

    @Option(
        help: ArgumentHelp(
            "Where records and weights go; default a fresh folder in runs/. An unfinished run there "
                + "resumes from its newest checkpoint.", valueName: "dir"),
        completion: .directory)
    var runDir: String?

    @Option(
        help: ArgumentHelp("A YAML file with settings.", valueName: "file"),
        completion: .file())
    var config: String?

    @Flag(help: "Show each setting and where it came from, and end.")
    var printConfig = false

    @Flag(help: "Print one JSON object a run, as the last lines of standard output.")
    var json = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The fraction of steps that two workers compute, to find machines that compute wrongly; "
                + "default 0.", valueName: "fraction"))
    var auditRate: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Log every so many steps, to keep the log of a long run short; default 1 (a sweep: at "
                + "most 50 lines an epoch).", valueName: "steps"))
    var logEvery: String?

    @OptionGroup var checkpoints: CheckpointOptions
    @OptionGroup var role: RoleOptions

    var given: [SettingKey: String?] {
        role.given.merging(checkpoints.given) { $1 }
            .merging([.data: data, .auditRate: auditRate, .logEvery: logEvery]) { $1 }
    }
}

/// A timeline of a session. Moves no bit.
struct TraceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write a timeline of all processes to this file at the end, step by step, for "
                + "ui.perfetto.dev or chrome://tracing.", valueName: "file"),
        completion: .file())
    var trace: String?
}

/// What every role has.
struct RoleOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The longest wait for a peer; default 120.", valueName: "seconds"))
    var waitTimeout: String?

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice (default), warning, error or critical.",
            valueName: "level"),
        transform: logLevel(named:))
    var logLevel: Logger.Level = .notice

    var given: [SettingKey: String?] { [.waitTimeout: waitTimeout] }
}

extension Settings {
    /// - Parameter flags: of each group of options, in any order.
    init(
        command: String, flags: [[SettingKey: String?]], file: String?
    ) throws(UsageError) {
        let merged = flags.reduce(into: [:]) { $0.merge($1) { $1 } }
        try self.init(
            keys: Set(merged.keys), flags: merged,
            environment: ProcessInfo.processInfo.environment, file: file, command: command)
    }
}

/// A level by its name.
func logLevel(named text: String) throws -> Logger.Level {
    guard let level = Logger.Level(rawValue: text) else {
        throw ValidationError("unknown log level '\(text)'")
    }
    return level
}

extension CompletionKind {
    /// The names of a setting's values.
    static func choices<Choice: CaseIterable & RawRepresentable>(
        _: Choice.Type
    ) -> CompletionKind where Choice.RawValue == String {
        .list(Choice.allCases.map(\.rawValue))
    }
}
