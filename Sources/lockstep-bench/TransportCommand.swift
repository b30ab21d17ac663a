import ArgumentParser

/// `lockstep-bench transport`
struct TransportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transport", abstract: "The exchange alone, beside bare ZeroMQ.",
        discussion: """
            Every worker pushes its floats to the servers, which add them up and send the sum \
            back, between processes of this host; nothing is trained. The servers are processes \
            of their own, or colocated: each worker's process serves a part. Beside it \
            zmq_floor.c (one server) and zmq_colocated.c of the peers, which do the same with \
            libzmq alone, without headers and checksums.

            Examples:
              lockstep-bench transport --peers DIR
              lockstep-bench transport --workers 2,4,8 --servers 2,colocated --floats 1000000
              lockstep-bench transport --transport tcp --peers DIR
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions

    @Option(help: ArgumentHelp("How many workers; default 2,8.", valueName: "list"))
    var workers = NumberList([2, 8])

    @Option(
        help: ArgumentHelp(
            "How many servers, or colocated; default 1,colocated.", valueName: "list"))
    var servers = ServerPlacementList([.apart(1), .colocated])

    @Option(help: ArgumentHelp("Of a push; default the model's and few.", valueName: "list"))
    var floats = NumberList([BareExchange.modelFloats, 256])

    @Option(help: "ipc, as on one host by default, or tcp.")
    var transport = ExchangeTransport.ipc

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 5.", valueName: "n"))
    var rounds: Int?

    func validate() throws {
        if let rounds, rounds < 1 {
            throw ValidationError("--rounds is \(rounds); give 1 or more.")
        }
        guard workers.values.allSatisfy({ $0 <= 63 }) else {
            throw ValidationError("--workers: give at most 63, processes of this host.")
        }
        let most = servers.values.map { $0.count(workers: workers.values.max() ?? 1) }.max()
        guard let most, let least = floats.values.min(), most <= least else {
            throw ValidationError("--servers: every server needs a float; give fewer servers.")
        }
        if servers.values.contains(.colocated), workers.values.contains(1) {
            throw ValidationError("--servers: colocated needs two workers or more.")
        }
    }

    func run() throws {
        let folder = try TemporaryFolder()
        let reporter = try Reporter(options)
        let measurement = TransportMeasurement(
            workers: workers.values, servers: servers.values, floats: floats.values,
            transport: transport, isQuick: options.quick,
            rounds: rounds ?? (options.quick ? 1 : 5))
        let bare = BareExchange(try Peers(peers), folder)
        try reporter.show(try measurement.sections(bare, folder))
    }
}

/// Exchanges of several shapes, both sides in turn.
struct TransportMeasurement {
    var workers = [2, 8]
    var servers = [ExchangePlacement.apart(1), .colocated]
    var floats = [BareExchange.modelFloats, 256]
    var transport = ExchangeTransport.ipc
    var isQuick: Bool
    var rounds: Int

    /// What `lockstep-bench all` measures.
    static func standard(_ isQuick: Bool) -> TransportMeasurement {
        TransportMeasurement(
            workers: isQuick ? [2] : [2, 8], floats: [BareExchange.modelFloats],
            isQuick: isQuick, rounds: isQuick ? 1 : 5)
    }

    var entries: [GoalEntry] {
        guard floats.contains(BareExchange.modelFloats) else { return [] }
        return workers.compactMap { Goals.find(.exchange, Goals.place(workers: $0)) }
    }

    private var shapes: [ExchangeShape] {
        floats.flatMap { floats in
            workers.flatMap { workers in
                servers.map { servers in
                    // Some half a second on two cores.
                    ExchangeShape(
                        workers: workers, servers: servers, floats: floats,
                        steps: max(20, (isQuick ? 200 : 4_000) / workers), transport: transport)
                }
            }
        }
    }

    private static func best(_ rounds: [Rounds]) -> Rounds? {
        let count = rounds.map(\.values.count).min() ?? 0
        guard count > 0 else { return nil }
        return Rounds(
            (0..<count).map { round in rounds.map { $0.values[round] }.min() ?? .nan }, .lower)
    }

    func sections(_ bare: BareExchange, _ folder: TemporaryFolder) throws -> [Section] {
        var own: [ExchangeShape: Rounds] = [:]
        var other: [ExchangeShape: Rounds] = [:]
        for round in 1...rounds {
            for shape in shapes {
                Notes.progress("round \(round) of \(rounds): \(shape.words)")
                let time = try Exchange(folder: folder).measure(shape)
                own[shape, default: Rounds([], .lower)].values.append(time)
                guard let bareTime = try bare.measure(shape) else { continue }
                other[shape, default: Rounds([], .lower)].values.append(bareTime)
            }
        }
        var section = Section(
            title: "The exchange alone, a step over \(transport.rawValue)", command: "transport",
            subject: "shape")
        section.figures = shapes.compactMap { shape in
            own[shape].map { times in
                Figure(
                    shape.words, times, "µs",
                    against: other[shape].map {
                        (BareProgram(shape.servers)?.rawValue ?? "", $0)
                    })
            }
        }
        section.notes = [
            "Best of \(rounds) \(rounds == 1 ? "round" : "rounds"), the sides in turn."
        ]
        section.notes += bare.notes
        let better = betterPlacement(own, other)
        return better.figures.isEmpty ? [section] : [section, better]
    }

    /// A run may choose where its servers are, and so may whoever writes a bare program.
    private func betterPlacement(
        _ own: [ExchangeShape: Rounds], _ other: [ExchangeShape: Rounds]
    ) -> Section {
        var section = Section(
            title: "The exchange alone, each side at its better placement", command: "transport",
            subject: "shape")
        for floats in floats {
            for workers in workers {
                let alike = shapes.filter { $0.floats == floats && $0.workers == workers }
                guard alike.count > 1, let best = Self.best(alike.compactMap { own[$0] })
                else { continue }
                let bare = Self.best(alike.compactMap { other[$0] })
                section.figures.append(
                    Figure(
                        "\(workers) workers, \(floats) floats", best, "µs",
                        against: bare.map { ("bare", $0) },
                        entry: floats == BareExchange.modelFloats
                            ? Goals.find(.exchange, Goals.place(workers: workers)) : nil))
            }
        }
        return section
    }
}
