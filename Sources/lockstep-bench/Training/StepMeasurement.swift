import Datasets
import LockstepProtocol
import NeuralNetwork
import TerminalText

/// Training rates of all sides in all placements, and what follows from them.
struct StepMeasurement {
    var tables: [StepTable]
    var rounds: Int
    /// Long runs get fewer.
    var wideRounds: Int
    var isQuick: Bool

    /// What `lockstep-bench all` measures.
    static func standard(_ isQuick: Bool) -> StepMeasurement {
        let batches = isQuick ? [512] : [32, 128, 512, 2048]
        let epochs = isQuick ? 1 : 2
        let both = StepPeer.allCases
        return StepMeasurement(
            tables: [
                StepTable(batchSizes: batches, epochs: epochs, peers: both),
                StepTable(threads: 2, batchSizes: [512], epochs: epochs, peers: []),
                StepTable(workers: 2, batchSizes: batches, epochs: epochs, peers: [.pyTorch]),
                StepTable(input: .inverted, batchSizes: batches, epochs: epochs, peers: both),
                StepTable(
                    input: .wide, batchSizes: isQuick ? [512] : [128, 512], epochs: 1,
                    peers: [.pyTorch]),
            ], rounds: isQuick ? 1 : 3, wideRounds: isQuick ? 1 : 2, isQuick: isQuick)
    }

    /// One process with one thread and with two, and two workers, of one input.
    static func placements(_ table: StepTable) -> [StepTable] {
        [(0, 1), (0, 2), (2, 1)].map { workers, threads in
            var table = table
            (table.workers, table.threads) = (workers, threads)
            return table
        }
    }

    var entries: [GoalEntry] {
        var entries = tables.flatMap(\.entries)
        for (table, row) in scaled {
            entries += table.batchSizes.compactMap { Goals.find(row, Goals.place(batch: $0)) }
        }
        return entries
    }

    /// Tables with a second core that have a table with one thread to be compared with.
    private var scaled: [(StepTable, GoalRow)] {
        tables.compactMap { table in
            guard table.isStandard, table.input == .mnist else { return nil }
            switch (table.workers, table.threads) {
            case (0, 2): return (table, .twoThreads)
            case (2, 1): return (table, .twoWorkersOneThread)
            default: return nil
            }
        }
    }

    func sections(
        _ data: BenchData, _ peers: Peers, _ bare: BareExchange, _ folder: TemporaryFolder
    ) throws -> [Section] {
        var notes: [String] = []
        let sides = try sides(data, peers, folder, notes: &notes)
        let tables = tables.map { table in
            var table = table
            table.batchSizes.removeAll { $0 > data.dataset.train.count }
            return table
        }
        guard tables.contains(where: { !$0.batchSizes.isEmpty }) else {
            throw BenchError(.usage, "--batch-sizes: none is within the \(data.dataset.name) data")
        }
        let distance = CoreDistance.nanoseconds()
        var contest = Contest()
        let (wide, others) = (
            tables.filter { $0.input == .wide }, tables.filter { $0.input != .wide }
        )
        try contest.run(entrants(others), rounds: rounds, own: StepTable.own, sides: sides)
        try contest.run(entrants(wide), rounds: wideRounds, own: StepTable.own, sides: sides)
        let floors = try floors(tables, contest, bare, folder)
        var sections = try tables.map { try section($0, contest, floors, data) }
        notes.insert(
            "Examples a second of the fastest epoch of the best round; ratios of all rounds, the "
                + "sides one after the other. Adam.", at: 0)
        let last = sections.lastIndex { !$0.figures.isEmpty }
        if let last { sections[last].notes = notes + contest.failures }
        var secondCore = secondCore(tables, contest, floors)
        if let before = distance, let after = CoreDistance.nanoseconds() {
            secondCore.notes.append(
                "A word goes from one core to the other and back in "
                    + "\(Figures.fixed(before, 0)) ns at first and \(Figures.fixed(after, 0)) ns "
                    + "in the end; where they differ, so do steps on two cores.")
        }
        sections.append(secondCore)
        sections.append(stepAgainstFloor(tables, contest, floors))
        return sections.filter { !$0.figures.isEmpty }
    }

    /// A batch's tables one after the other, so that a slow minute meets all sides.
    private func entrants(_ tables: [StepTable]) -> [Contest.Entry] {
        var entries: [Contest.Entry] = []
        for input in StepInput.allCases {
            let alike = tables.filter { $0.input == input }
            for batch in Set(alike.flatMap(\.batchSizes)).sorted() {
                for table in alike where table.batchSizes.contains(batch) {
                    let sides = [StepTable.own] + table.fitPeers.map(\.rawValue)
                    entries += sides.map { Contest.Entry(side: $0, shape: table.shape(batch)) }
                }
            }
        }
        return entries
    }

    private func sides(
        _ data: BenchData, _ peers: Peers, _ folder: TemporaryFolder, notes: inout [String]
    ) throws -> [String: Contest.Run] {
        let own = try LockstepTrainer(data, folder)
        var sides: [String: Contest.Run] = [StepTable.own: own.run]
        let unfit = try data.files(tables.first?.input ?? .mnist).unfitForPeers
        let wanted = Set(tables.flatMap(\.fitPeers))
        for peer in StepPeer.allCases where wanted.contains(peer) {
            let (script, module) =
                switch peer {
                case .jax: ("jax_scan.py", "jax")
                case .pyTorch: ("torch_ddp.py", "torch")
                }
            switch peers.script(script, needs: module, folder) {
            case .available(let command) where unfit == nil:
                sides[peer.rawValue] =
                    switch peer {
                    case .jax: JAXTrainer(command: command, data: data, folder: folder).run
                    case .pyTorch:
                        PyTorchTrainer(command: command, data: data, folder: folder).run
                    }
            case .available: break
            case .missing(let reason): notes.append(reason)
            }
        }
        if let unfit, !wanted.isEmpty { notes.append(unfit) }
        return sides
    }

    private func floors(
        _ tables: [StepTable], _ contest: Contest, _ bare: BareExchange, _ folder: TemporaryFolder
    ) throws -> StepFloors {
        let peak = PeakOfOneCore.operationsPerSecond(
            try KernelSet.selected().variant, seconds: isQuick ? 0.02 : 0.5)
        guard tables.contains(where: { $0.workers == 2 }) else {
            return StepFloors(peak: peak, exchange: nil)
        }
        let known = try ExchangeFloor(bare, folder, steps: isQuick ? 200 : 2_000)
        let shown = tables.compactMap { shownExchange($0, contest) }
        let least = ([known] + shown).min { $0.microseconds < $1.microseconds }
        return StepFloors(peak: peak, exchange: least)
    }

    /// What the exchange took at most in the fastest of our own steps of two workers: what they
    /// took beyond half of a step of one thread. Through memory, it may be less than any program
    /// needs that goes through sockets.
    private func shownExchange(_ table: StepTable, _ contest: Contest) -> ExchangeFloor? {
        guard table.workers == 2, table.layers == nil, table.input == .mnist else { return nil }
        return table.batchSizes.compactMap { batch in
            guard let own = contest.rates(StepTable.own, table.shape(batch))?.best,
                let alone = alone(table, batch, contest)?.best
            else { return nil }
            let rest = Double(batch) * (1 / own - 1 / (2 * alone)) * 1e6
            return ExchangeFloor(
                name: "what our own step of two workers takes beyond that at batch \(batch)",
                microseconds: rest)
        }.min { $0.microseconds < $1.microseconds }
    }

    private func section(
        _ table: StepTable, _ contest: Contest, _ floors: StepFloors, _ data: BenchData
    ) throws -> Section {
        var section = Section(title: table.title, command: "step", subject: "batch")
        for batch in table.batchSizes {
            let shape = table.shape(batch)
            guard let own = contest.rates(StepTable.own, shape), let rate = own.best else {
                continue
            }
            // Without a peer the row shows our rate alone.
            let beside: [StepPeer?] = table.fitPeers.isEmpty ? [nil] : table.fitPeers
            for peer in beside {
                let theirs = peer.flatMap { contest.rates($0.rawValue, shape) }
                var figure = Figure(
                    "\(batch)", own, "examples/s",
                    against: theirs.map { (peer?.rawValue ?? "", $0) },
                    entry: peer.flatMap { table.entry($0, batch) })
                figure.seconds = Double(batch) / rate
                if let best = theirs?.best {
                    if table.workers > 0 {
                        let alone = alone(table, batch, contest)?.best
                        figure.floor = alone.flatMap {
                            floors.twoWorkers(batch, alone: $0, against: best)
                        }
                    } else if table.threads == 1 {
                        figure.floor = floors.oneThread(
                            shape, density: try data.files(table.input).density, against: best)
                    }
                }
                section.figures.append(figure)
            }
        }
        return section
    }

    /// Our rate with one thread where a table has more.
    private func alone(_ table: StepTable, _ batch: Int, _ contest: Contest) -> Rounds? {
        var table = table
        (table.workers, table.threads) = (0, 1)
        return contest.rates(StepTable.own, table.shape(batch))
    }

    /// What a second core brings.
    private func secondCore(
        _ tables: [StepTable], _ contest: Contest, _ floors: StepFloors
    ) -> Section {
        var section = Section(
            title: "A second core, against one process with one thread", command: "step",
            subject: "placement")
        for table in tables where table.workers == 2 || table.threads == 2 {
            let row: GoalRow = table.workers == 2 ? .twoWorkersOneThread : .twoThreads
            let isGoal = table.isStandard && table.input == .mnist
            for batch in table.batchSizes {
                guard let own = contest.rates(StepTable.own, table.shape(batch)),
                    let alone = alone(table, batch, contest), let best = alone.best
                else { continue }
                let words = table.workers == 2 ? "two workers" : "two threads"
                let input = table.input == .mnist ? "" : ", \(table.input.words)"
                var figure = Figure(
                    "\(words), batch \(batch)\(input)", own, "examples/s",
                    against: ("one thread", alone),
                    entry: isGoal ? Goals.find(row, Goals.place(batch: batch)) : nil)
                if table.workers == 2 {
                    figure.floor = floors.twoWorkers(batch, alone: best, against: best)
                }
                section.figures.append(figure)
            }
        }
        return section
    }

    /// A step cannot be faster than its arithmetic on two cores and its bytes on their way.
    private func stepAgainstFloor(
        _ tables: [StepTable], _ contest: Contest, _ floors: StepFloors
    ) -> Section {
        var section = Section(
            title: "A step of two workers, against its floor", command: "step", subject: "batch")
        for table in tables where table.workers == 2 && table.layers == nil {
            guard table.input.layers == StepInput.seedLayers else { continue }
            for batch in table.batchSizes {
                guard let own = contest.rates(StepTable.own, table.shape(batch)),
                    let alone = alone(table, batch, contest)
                else { continue }
                let floor = alone.map(.lower) { floors.twoWorkers(batch, alone: $0) ?? .nan }
                let input = table.input == .mnist ? "" : ", \(table.input.words)"
                section.figures.append(
                    Figure(
                        "\(batch)\(input)", own.map(.lower) { Double(batch) / $0 * 1e6 }, "µs",
                        against: ("floor", floor)))
            }
        }
        if let exchange = floors.exchange {
            section.notes = [
                "Floor: half of the one-thread step, and \(exchange.name) for the model between two "
                    + "workers, \(Figures.fixed(exchange.microseconds, 0)) µs."
            ]
        }
        return section
    }
}
