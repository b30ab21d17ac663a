import ArgumentParser
import Datasets
import LockstepProtocol

/// `lockstep-bench keras`
struct KerasCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keras", abstract: "The seed's scripts, beside Keras.",
        discussion: """
            Trains what the seed's script trains, batch 32, with two worker processes, and \
            keras_seed.py of the peers on the same data. Keras takes half a minute a \
            configuration.

            Examples:
              lockstep-bench keras --peers DIR
              lockstep-bench keras --peers DIR --epochs 2 --rounds 3
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    @Option(help: ArgumentHelp("Default 10.", valueName: "n"))
    var epochs: Int?

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 1.", valueName: "n"))
    var rounds = 1

    func validate() throws {
        for (flag, value) in [("--epochs", epochs ?? 1), ("--rounds", rounds)] where value < 1 {
            throw ValidationError("\(flag) is \(value); give 1 or more.")
        }
    }

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let reporter = try Reporter(options, data: data.description)
        let measurement = KerasMeasurement(
            epochs: epochs ?? (options.quick ? 1 : 10), rounds: rounds)
        try reporter.show([try measurement.section(data, Peers(peers), folder)])
    }
}

/// The seed's configurations, trained by both sides.
struct KerasMeasurement {
    var configurations = ["mse-tanh", "ce-softmax"]
    let epochs: Int
    let rounds: Int

    private static let own = "Lockstep"
    private static let peer = "Keras"

    /// What `lockstep-bench all` measures.
    static func standard(_ isQuick: Bool) -> KerasMeasurement {
        isQuick
            ? KerasMeasurement(configurations: ["ce-softmax"], epochs: 1, rounds: 1)
            : KerasMeasurement(epochs: 10, rounds: 2)
    }

    var entries: [GoalEntry] { configurations.compactMap { Goals.find(.keras, $0) } }

    func section(_ data: BenchData, _ peers: Peers, _ folder: TemporaryFolder) throws -> Section {
        let trainer = try LockstepTrainer(data, folder)
        var sides: [String: Contest.Run] = [Self.own: trainer.run]
        var section = Section(
            title: "The seed's scripts: two worker processes; Keras", command: "keras",
            subject: "configuration")
        section.notes = ["\(epochs) \(epochs == 1 ? "epoch" : "epochs"), batch 32, Adam."]
        switch peers.script("keras_seed.py", needs: "tensorflow", folder) {
        case .available(let command):
            if let unfit = try data.files().unfitForPeers {
                section.notes.append(unfit)
            } else {
                let peer = KerasTrainer(command: command, data: data, folder: folder)
                sides[Self.peer] = peer.run
            }
        case .missing(let reason): section.notes.append(reason)
        }
        let shapes = configurations.map {
            TrainingShape(configuration: $0, workers: 2, threads: 1, batchSize: 32, epochs: epochs)
        }
        var contest = Contest()
        let contenders = shapes.flatMap { shape in
            [Self.own, Self.peer].map { Contest.Entry(side: $0, shape: shape) }
        }
        try contest.run(contenders, rounds: rounds, own: Self.own, sides: sides)
        section.notes += contest.failures
        for shape in shapes {
            section.figures += figures(shape, contest, exampleCount: data.dataset.train.count)
        }
        return section
    }

    private func figures(
        _ shape: TrainingShape, _ contest: Contest, exampleCount: Int
    ) -> [Figure] {
        // Keras tells no rate of an epoch, so that of the whole training counts on both sides.
        func rate(_ result: TrainingResult) -> Double {
            result.seconds.map { Double(exampleCount * epochs) / $0 } ?? result.examplesPerSecond
        }
        func figure(
            _ what: String, _ unit: String, _ better: Rounds.Better, entry: GoalEntry? = nil,
            _ value: (TrainingResult) -> Double
        ) -> Figure? {
            guard let own = contest.rounds(Self.own, shape, better, value) else { return nil }
            let peer = contest.rounds(Self.peer, shape, better, value)
            return Figure(
                "\(shape.configuration), \(what)", own, unit,
                against: peer.map { (Self.peer, $0) }, entry: entry)
        }
        return [
            figure(
                "training", "examples/s", .higher, entry: Goals.find(.keras, shape.configuration),
                rate),
            figure("start to end", "s", .lower) { $0.wallSeconds },
            figure("test accuracy", "%", .higher) { ($0.testAccuracy ?? .nan) * 100 },
        ].compactMap { $0 }
    }
}
