import ArgumentParser

/// `lockstep-bench transport`
struct TransportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transport", abstract: "The exchange alone, beside bare ZeroMQ.",
        discussion: """
            Every worker pushes its floats to the servers, which add them up and send the sum \
            back, over TCP between processes of this host; nothing is trained. Beside it \
            zmq_floor.c of the peers, which does the same with libzmq alone, without headers and \
            checksums, and knows one server.

            Examples:
              lockstep-bench transport --peers DIR
              lockstep-bench transport --workers 2,4,8 --servers 2 --floats 1000000
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions

    @Option(help: ArgumentHelp("How many workers; default 2,8.", valueName: "list"))
    var workers = NumberList([2, 8])

    @Option(help: ArgumentHelp("How many servers; default 1.", valueName: "list"))
    var servers = NumberList([1])

    @Option(help: ArgumentHelp("Of a push; default the model's and few.", valueName: "list"))
    var floats = NumberList([BareExchange.modelFloats, 256])

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 5.", valueName: "n"))
    var rounds: Int?

    func validate() throws {
        if let rounds, rounds < 1 {
            throw ValidationError("--rounds is \(rounds); give 1 or more.")
        }
        guard workers.values.allSatisfy({ $0 <= 64 }) else {
            throw ValidationError("--workers: give at most 64, processes of this host.")
        }
        guard let most = servers.values.max(), let least = floats.values.min(), most <= least else {
            throw ValidationError("--servers: every server needs a float; give fewer servers.")
        }
    }

    func run() throws {
        let folder = try TemporaryFolder()
        let reporter = try Reporter(options)
        let shapes = servers.values.flatMap { servers in
            floats.values.flatMap { floats in
                workers.values.map { workers in
                    ExchangeShape(
                        workers: workers, servers: servers, floats: floats,
                        steps: TransportMeasurement.steps(workers: workers, options.quick))
                }
            }
        }
        let measurement = TransportMeasurement(
            shapes: shapes, rounds: rounds ?? (options.quick ? 1 : 5))
        try reporter.show([try measurement.section(Peers(peers), folder)])
    }
}

/// Exchanges of several shapes, both sides in turn.
struct TransportMeasurement {
    let shapes: [ExchangeShape]
    let rounds: Int

    /// Some half a second on two cores.
    static func steps(workers: Int, _ isQuick: Bool) -> Int {
        max(20, (isQuick ? 200 : 4_000) / workers)
    }

    /// What `lockstep-bench all` measures.
    static func standard(_ isQuick: Bool) -> TransportMeasurement {
        let shapes = [BareExchange.modelFloats, 256].flatMap { floats in
            [2, 8].map { workers in
                ExchangeShape(
                    workers: workers, servers: 1, floats: floats,
                    steps: steps(workers: workers, isQuick))
            }
        }
        return TransportMeasurement(shapes: shapes, rounds: isQuick ? 1 : 5)
    }

    func section(_ peers: Peers, _ folder: TemporaryFolder) throws -> Section {
        var section = Section(
            title: "The exchange alone, a step over TCP", command: "transport", subject: "shape")
        section.notes = [
            "Best of \(rounds) \(rounds == 1 ? "round" : "rounds"), the sides in turn."
        ]
        var bare: String?
        switch peers.bareExchange(folder) {
        case .available(let program): bare = program
        case .missing(let reason): section.notes.append(reason)
        }
        var best: [ExchangeShape: Double] = [:]
        var bestBare: [ExchangeShape: Double] = [:]
        for round in 1...rounds {
            for shape in shapes {
                Notes.progress("round \(round) of \(rounds): \(shape.words)")
                let time = try Exchange(folder: folder).measure(shape)
                best[shape] = min(best[shape] ?? .infinity, time)
                guard let bare, shape.servers == 1 else { continue }
                let bareTime = try BareExchange.run(bare, shape, folder)
                bestBare[shape] = min(bestBare[shape] ?? .infinity, bareTime)
            }
        }
        section.figures = shapes.compactMap { shape in
            best[shape].map { time in
                Figure(
                    shape.words, time, "µs", against: bestBare[shape].map { ("zmq_floor", $0) },
                    goal: shape.servers == 1 ? .atMost(1.15) : nil)
            }
        }
        return section
    }
}

extension ExchangeShape {
    var words: String {
        let servers = servers == 1 ? "1 server" : "\(servers) servers"
        return "\(workers) workers, \(servers), \(floats) floats"
    }
}
