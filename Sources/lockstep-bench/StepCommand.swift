import ArgumentParser

/// `lockstep-bench step`
struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Whole training steps, beside JAX and PyTorch.",
        discussion: """
            Runs the lockstep program beside this one, in one process and with two worker \
            processes, and torch_ddp.py and jax_scan.py of the peers on the same files, in turn. \
            JAX has one process and the seed's layers only. Takes some minutes with peers.

            Inputs: mnist (81 % of the pixels are zero), inverted (255 − x, no zeros), wide \
            (784-1024-1024-10), and between the first two zeros30, zeros50, zeros70: inverted, \
            with so many percent of the pixels zero at random places.

            Examples:
              lockstep-bench step --peers DIR
              lockstep-bench step --input inverted,wide --peers DIR --batch-sizes 512
              lockstep-bench step --layers 784,300,100,10 --micro-batch 7 --batch-sizes 96
              lockstep-bench step --quick --json
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    @Option(
        help: ArgumentHelp(
            "mnist (default), inverted, wide, zeros30, zeros50 or zeros70; several with commas.",
            valueName: "list"))
    var input = StepInputList([.mnist])

    @Option(help: ArgumentHelp("mse-tanh or ce-softmax.", valueName: "name"))
    var preset = "ce-softmax"

    @Option(
        help: ArgumentHelp("Widths, from 784 to 10; default those of the input.", valueName: "list")
    )
    var layers: NumberList?

    @Option(help: ArgumentHelp("Of Lockstep's tree; default its own.", valueName: "n"))
    var microBatch: Int?

    @Option(help: ArgumentHelp("Default 32,128,512,2048.", valueName: "list"))
    var batchSizes: NumberList?

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 3.", valueName: "n"))
    var rounds: Int?

    func validate() throws {
        if let rounds, rounds < 1 {
            throw ValidationError("--rounds is \(rounds); give 1 or more.")
        }
        if let microBatch, microBatch < 1 {
            throw ValidationError("--micro-batch is \(microBatch); give 1 or more.")
        }
        if let widths = layers?.values,
            widths.count < 2 || widths.first != 784 || widths.last != 10
        {
            throw ValidationError("--layers: give widths from 784 to 10, 784,300,10 for instance.")
        }
        guard ["mse-tanh", "ce-softmax"].contains(preset) else {
            throw ValidationError(
                "--preset is \(preset); give mse-tanh or ce-softmax.")
        }
    }

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let peers = try Peers(peers)
        let reporter = try Reporter(options, data: data.description)
        let batches = batchSizes?.values ?? (options.quick ? [512] : [32, 128, 512, 2048])
        let rounds = rounds ?? (options.quick ? 1 : 3)
        let tables = input.values.flatMap { input in
            StepMeasurement.placements(
                StepTable(
                    configuration: preset, input: input, layers: layers?.values,
                    microBatch: microBatch, batchSizes: batches,
                    epochs: options.quick || input == .wide ? 1 : 2, peers: StepPeer.allCases))
        }
        let measurement = StepMeasurement(
            tables: tables, rounds: rounds, wideRounds: rounds, isQuick: options.quick)
        try reporter.show(
            try measurement.sections(data, peers, BareExchange(peers, folder), folder))
    }
}

/// Inputs, separated by commas.
struct StepInputList: ExpressibleByArgument, Sendable {
    let values: [StepInput]

    init(_ values: [StepInput]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = parts.compactMap { StepInput(rawValue: String($0)) }
        if values.isEmpty || values.count != parts.count { return nil }
    }

    var defaultValueDescription: String {
        values.map(\.rawValue).joined(separator: ",")
    }
}
