import ArgumentParser
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import RunRecords
import TrainingPlan
import ZeroMQ

// The next word is always a flag's value, `-5` included, so that a message names it.

/// What is trained where nothing else is said.
private let standard = RunConfiguration(preset: .standard)

/// What a network computes, and from which seed.
struct NetworkOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("A network by its name.", valueName: "name"))
    var preset: FlagValue = FlagValue(RunConfiguration.Preset.standard)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of the hidden layers; default: the preset's.", valueName: "name"))
    var hiddenActivation: FlagValue<Activation>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of the outputs; default: the preset's.", valueName: "name"))
    var outputActivation: FlagValue<Activation>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Default: the preset's.", valueName: "name"))
    var loss: FlagValue<Loss>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("What the outputs are to be; default: the preset's.", valueName: "name"))
    var targets: FlagValue<TargetEncoding>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How outputs become a digit: as they are, or rescaled by (x+1)/2; default: the preset's.",
            valueName: "name"))
    var decode: FlagValue<OutputDecoding>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of initial weights and sample order.", valueName: "n"))
    var seed: FlagValue = FlagValue(standard.seed)

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
            SettingKey(.preset): preset.text, SettingKey(.hiddenActivation): hiddenActivation?.text,
            SettingKey(.outputActivation): outputActivation?.text, SettingKey(.loss): loss?.text,
            SettingKey(.targets): targets?.text, SettingKey(.decode): decode?.text,
            SettingKey(.seed): seed.text,
        ]
    }
}

/// How a network is trained.
struct TrainingOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Widths.", valueName: "list"))
    var layers: FlagValue = FlagValue(LayerWidths(standard.architecture.layers))

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The rule of an update.", valueName: "name"))
    var optimizer: FlagValue = FlagValue(standard.optimizer.kind)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of the optimizer.", valueName: "rate"))
    var learningRate: FlagValue = FlagValue(standard.optimizer.learningRate)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Decoupled, kernels only.", valueName: "rate"))
    var weightDecay: FlagValue = FlagValue(standard.optimizer.weightDecay)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of the learning rate.", valueName: "name"))
    var schedule: FlagValue = FlagValue(standard.optimizer.schedule.shape)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Steps of linear warm-up.", valueName: "n"))
    var warmupSteps: FlagValue = FlagValue(standard.optimizer.schedule.warmupSteps)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Examples of a step, over all workers.", valueName: "n"))
    var batchSize: FlagValue = FlagValue(standard.batchSize)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Examples of a leaf of the sum; default max(16, batch/64).", valueName: "n"))
    var microBatch: FlagValue<Int>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Passes over the training examples.", valueName: "n"))
    var epochs: FlagValue = FlagValue(standard.epochs)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "End at the first evaluation that reaches this accuracy, for example 0.97.",
            valueName: "fraction"))
    var targetAccuracy: FlagValue<Double>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Hold out this many training examples, stratified by label, to evaluate on.",
            valueName: "n"))
    var validationExamples: FlagValue = FlagValue(standard.validationExamples)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Evaluate between epochs, too.", valueName: "steps"))
    var evaluateEvery: FlagValue<Int>?

    var given: [SettingKey: String?] {
        [
            SettingKey(.layers): layers.text, SettingKey(.optimizer): optimizer.text,
            SettingKey(.learningRate): learningRate.text,
            SettingKey(.weightDecay): weightDecay.text,
            SettingKey(.schedule): schedule.text, SettingKey(.warmupSteps): warmupSteps.text,
            SettingKey(.batchSize): batchSize.text, SettingKey(.microBatch): microBatch?.text,
            SettingKey(.epochs): epochs.text, SettingKey(.targetAccuracy): targetAccuracy?.text,
            SettingKey(.validationExamples): validationExamples.text,
            SettingKey(.evaluateEvery): evaluateEvery?.text,
        ]
    }
}

/// Where a session on this host trains. Moves no bit.
struct PlacementOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Worker processes; default 2 (a sweep: 0). 0 trains in this process.", valueName: "n"))
    var workers: FlagValue<Int>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of each worker.", valueName: "n"))
    var threads: FlagValue = FlagValue(SessionPlacement.standard.threads)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Parameter servers, a shard each, in the coordinator; auto: in the workers.",
            valueName: "n|auto"))
    var servers: FlagValue = FlagValue(SessionPlacement.standard.servers)

    @Option(
        help: ArgumentHelp(
            "Where the workers find their coordinator, tcp://127.0.0.1:0 for example; default a "
                + "socket that no other user can reach.", valueName: "endpoint"))
    var bind: String?

    var given: [SettingKey: String?] {
        [.workers: workers?.text, .threads: threads.text, .servers: servers.text]
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

/// How often a run's state is kept, so that it can continue after any end. Moves no bit.
struct CheckpointOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Between checkpoints of the training state. 0: only when interrupted.",
            valueName: "seconds"))
    var checkpointSeconds: FlagValue = FlagValue(CheckpointPolicy.defaultSeconds)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Checkpoints of an unfinished run to keep, the newest.", valueName: "n"))
    var keepCheckpoints: FlagValue = FlagValue(CheckpointStore.defaultKeep)

    var given: [SettingKey: String?] {
        [.checkpointSeconds: checkpointSeconds.text, .keepCheckpoints: keepCheckpoints.text]
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
            "The fraction of steps that two workers compute, to find machines that compute wrongly.",
            valueName: "fraction"))
    var auditRate: FlagValue = FlagValue(0.0)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Log every so many steps, to keep the log of a long run short; default 1 (a sweep: at most 50 lines an epoch).",
            valueName: "steps"))
    var logEvery: FlagValue<Int>?

    @OptionGroup var checkpoints: CheckpointOptions
    @OptionGroup var role: RoleOptions

    var given: [SettingKey: String?] {
        role.given.merging(checkpoints.given) { $1 }
            .merging([.data: data, .auditRate: auditRate.text, .logEvery: logEvery?.text]) { $1 }
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
        help: ArgumentHelp("The longest wait for a peer.", valueName: "seconds"))
    var waitTimeout: FlagValue = FlagValue(Settings.defaultWaitTimeoutSeconds)

    @Option(help: ArgumentHelp("Say what is at least this grave.", valueName: "level"))
    var logLevel = LogLevel(.notice)

    var given: [SettingKey: String?] { [.waitTimeout: waitTimeout.text] }
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
