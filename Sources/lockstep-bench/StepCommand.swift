import ArgumentParser
import Datasets
import LockstepProtocol
import NeuralNetwork

/// `lockstep-bench step`
struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Whole training steps, beside PyTorch.",
        discussion: """
            Runs the lockstep program beside this one, in one process and with two worker \
            processes, and torch_ddp.py of the peers on the same data, in turn. Takes some minutes with \
            peers.

            Examples:
              lockstep-bench step --peers DIR
              lockstep-bench step --batch-sizes 512 --rounds 5
              lockstep-bench step --quick --json
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    @Option(help: ArgumentHelp("mse-tanh or ce-softmax.", valueName: "name"))
    var configuration = "ce-softmax"

    @Option(help: ArgumentHelp("Default 32,128,512,2048.", valueName: "list"))
    var batchSizes: NumberList?

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 2.", valueName: "n"))
    var rounds: Int?

    func validate() throws {
        if let rounds, rounds < 1 {
            throw ValidationError("--rounds is \(rounds); give 1 or more.")
        }
    }

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let reporter = try Reporter(options, data: data.description)
        let measurement = StepMeasurement(
            batchSizes: batchSizes?.values
                ?? (options.quick ? [512, 2048] : [32, 128, 512, 2048]),
            configuration: configuration, rounds: rounds ?? (options.quick ? 1 : 3),
            epochs: options.quick ? 1 : 2)
        try reporter.show(try measurement.sections(data, Peers(peers), folder))
    }
}

/// Training rates of both sides in all placements, and what follows from them.
struct StepMeasurement {
    var batchSizes: [Int]
    var configuration = "ce-softmax"
    var rounds: Int
    var epochs: Int

    /// What is measured unless something else is asked for.
    static func standard(_ isQuick: Bool) -> StepMeasurement {
        isQuick
            ? StepMeasurement(batchSizes: [512], rounds: 1, epochs: 1)
            : StepMeasurement(batchSizes: [32, 128, 512, 2048], rounds: 2, epochs: 2)
    }

    private static let own = "Lockstep"
    private static let peer = "PyTorch"

    func sections(_ data: BenchData, _ peers: Peers, _ folder: TemporaryFolder) throws -> [Section]
    {
        let (path, unfit) = try data.write()
        let trainer = try LockstepTrainer(data: path, folder)
        var sides: [String: Contest.Run] = [Self.own: trainer.run]
        var note: String?
        switch peers.script("torch_ddp.py", needs: "torch", folder) {
        case .available(let command):
            note = unfit
            if unfit == nil {
                let peer = PyTorchTrainer(command: command, data: path, folder: folder)
                sides[Self.peer] = peer.run
            }
        case .missing(let reason): note = reason
        }
        let batches = batchSizes.filter { $0 <= data.dataset.train.count }
        guard !batches.isEmpty else {
            throw BenchError(.usage, "--batch-sizes: none is within the \(data.dataset.name) data")
        }
        var contest = Contest()
        let shapes = Self.placements.flatMap { placement in batches.map { shape(placement, $0) } }
        let entries = shapes.flatMap { shape in
            [Self.own, Self.peer].map { Contest.Entry(side: $0, shape: shape) }
        }
        try contest.run(entries, rounds: rounds, own: Self.own, sides: sides)
        let exchange = try BareExchange(peers, folder).measure(steps: epochs > 1 ? 2_000 : 200)
        let notes = [
            "\(configuration), Adam. The fastest epoch of \(rounds) \(rounds == 1 ? "run" : "runs") of "
                + "\(epochs) \(epochs == 1 ? "epoch" : "epochs"), the sides in turn.",
            note,
        ].compactMap { $0 }
        var sections = Self.placements.map { placement in
            section(placement, batches, contest)
        }
        sections[sections.count - 1].notes = notes + contest.failures
        sections.append(scaling(batches, contest))
        sections.append(floor(batches, contest, exchange))
        return sections.filter { !$0.figures.isEmpty }
    }

    private struct Placement {
        let title: String
        let workers: Int
        let threads: Int
        let goal: Goal?
    }

    private static let placements = [
        Placement(
            title: "One process, one thread", workers: 0, threads: 1, goal: .atLeast(5)),
        Placement(title: "One process, two threads", workers: 0, threads: 2, goal: nil),
        Placement(
            title: "Two worker processes; PyTorch DDP on gloo", workers: 2, threads: 1,
            goal: .atLeast(5)),
    ]

    private func shape(_ placement: Placement, _ batchSize: Int) -> TrainingShape {
        TrainingShape(
            configuration: configuration, workers: placement.workers, threads: placement.threads,
            batchSize: batchSize, epochs: epochs)
    }

    private func section(
        _ placement: Placement, _ batches: [Int], _ contest: Contest
    ) -> Section {
        var section = Section(title: placement.title, command: "step", subject: "batch")
        for batch in batches {
            let shape = shape(placement, batch)
            guard let rate = contest.rate(Self.own, shape) else { continue }
            section.figures.append(
                Figure(
                    "\(batch)", seconds: Double(batch) / rate, rate, "examples/s",
                    against: contest.rate(Self.peer, shape).map { (Self.peer, $0) },
                    goal: placement.goal))
        }
        return section
    }

    /// What a second core brings. The goals are for one batch size each.
    private func scaling(_ batches: [Int], _ contest: Contest) -> Section {
        var section = Section(
            title: "A second core, against one process with one thread", command: "step",
            subject: "placement")
        for (words, placement, batchOfGoal, goal) in [
            ("two threads", Self.placements[1], 512, Goal.atLeast(1.8)),
            ("two workers", Self.placements[2], 2048, Goal.atLeast(1.5)),
        ] {
            for batch in batches {
                guard let rate = contest.rate(Self.own, shape(placement, batch)),
                    let alone = contest.rate(Self.own, shape(Self.placements[0], batch))
                else { continue }
                section.figures.append(
                    Figure(
                        "\(words), batch \(batch)", rate, "examples/s",
                        against: ("one thread", alone), goal: batch == batchOfGoal ? goal : nil))
            }
        }
        return section
    }

    /// A step cannot be faster than its arithmetic on two cores and its bytes on their way.
    private func floor(
        _ batches: [Int], _ contest: Contest, _ exchange: BareExchange.Result
    ) -> Section {
        var section = Section(
            title: "A step of two workers, against its floor", command: "step", subject: "batch")
        for batch in batches {
            guard let rate = contest.rate(Self.own, shape(Self.placements[2], batch)),
                let alone = contest.rate(Self.own, shape(Self.placements[0], batch))
            else { continue }
            let floor = Double(batch) / (2 * alone) * 1e6 + exchange.microseconds
            section.figures.append(
                Figure(
                    "\(batch)", Double(batch) / rate * 1e6, "µs", against: ("floor", floor),
                    goal: .atMost(1.2)))
        }
        let microseconds = Int(exchange.microseconds.rounded())
        section.notes = [
            "Floor: half of the one-thread step, and \(exchange.name) of the model between two workers "
                + "and a server, \(microseconds) µs."
        ]
        return section
    }
}
