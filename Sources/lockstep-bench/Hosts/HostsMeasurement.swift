import Foundation
import LockstepProtocol
import TerminalText

/// Training on several hosts with links of a rate, beside PyTorch DDP on the same links.
struct HostsMeasurement {
    var hostCounts: [Int]
    var rate = LinkRate.oneGigabit
    var examplesPerHost = 128
    var rounds: Int
    var epochs: Int

    /// What `lockstep-bench all` measures.
    static func standard(_ isQuick: Bool) -> HostsMeasurement {
        HostsMeasurement(
            hostCounts: isQuick ? [4] : [4, 8], rounds: isQuick ? 1 : 3, epochs: isQuick ? 1 : 3)
    }

    private static let own = "Lockstep"
    private static let clear = "Lockstep in the clear"
    private static let peer = "PyTorch DDP"

    var entries: [GoalEntry] {
        hostCounts.flatMap { hosts in
            [GoalRow.hostsDDP, .hostsLink, .encryption].compactMap { entry($0, hosts) }
        }
    }

    private func entry(_ row: GoalRow, _ hosts: Int) -> GoalEntry? {
        guard rate == .oneGigabit, examplesPerHost == 128 else { return nil }
        return Goals.find(row, Goals.place(hosts: hosts))
    }

    private func shape(_ hosts: Int) -> TrainingShape {
        TrainingShape(
            configuration: "ce-softmax", workers: hosts, threads: 1,
            batchSize: hosts * examplesPerHost, epochs: epochs)
    }

    /// - Throws: ``BenchError`` where there can be no namespaces.
    func sections(
        _ data: BenchData, _ peers: Peers, _ bare: BareExchange, _ folder: TemporaryFolder
    ) throws -> [Section] {
        if let obstacle = NetworkHosts.obstacle() { throw BenchError(.unavailable, obstacle) }
        var notes = [
            "Network namespaces on one machine, which share its "
                + "\(Figures.plural(ProcessInfo.processInfo.activeProcessorCount, "core")); "
                + "\(rate.text) each way, \(examplesPerHost) examples a host and step."
        ]
        var script: [String]?
        switch peers.script("torch_ddp.py", needs: "torch", folder) {
        case .available(let command):
            if let unfit = try data.files().unfitForPeers {
                notes.append(unfit)
            } else {
                script = command
            }
        case .missing(let reason): notes.append(reason)
        }
        let key = try HostLockstep.makeKey(folder)
        let floors = HostFloors(
            rate: rate, examplesPerSecond: try aloneRate(data, folder),
            pushedShare: data.pushedShare(examplesPerHost: examplesPerHost),
            exchange: { hosts in
                try ExchangeFloor(
                    bare, folder, workers: hosts, servers: [.colocated], over: .tcp, steps: 200
                )
                .microseconds * 1e-6
            })
        var contest = Contest()
        for count in hostCounts {
            let hosts = try NetworkHosts(count: count, rate: rate, folder)
            var sides: [String: Contest.Run] = [:]
            for (name, keyFile) in [(Self.own, key), (Self.clear, nil)] {
                sides[name] =
                    HostLockstep(hosts: hosts, data: data, folder: folder, keyFile: keyFile).run
            }
            if let script {
                sides[Self.peer] =
                    HostPyTorch(hosts: hosts, command: script, data: data, folder: folder).run
            }
            let entries = [Self.own, Self.clear, Self.peer].map {
                Contest.Entry(side: $0, shape: shape(count))
            }
            try contest.run(entries, rounds: rounds, own: Self.own, sides: sides)
        }
        return try sections(contest, floors, notes + contest.failures)
    }

    /// Examples a second of one core, for what the hosts' arithmetic takes on shared cores.
    private func aloneRate(_ data: BenchData, _ folder: TemporaryFolder) throws -> Double {
        let shape = TrainingShape(
            configuration: "ce-softmax", workers: 0, threads: 1, batchSize: examplesPerHost,
            epochs: 1)
        return try LockstepTrainer(data, folder).run(shape).examplesPerSecond
    }

    private func sections(
        _ contest: Contest, _ floors: HostFloors, _ notes: [String]
    ) throws -> [Section] {
        var steps = Section(
            title: "Steps over \(rate.text) links; PyTorch DDP on gloo", command: "hosts",
            subject: "hosts")
        var link = Section(
            title: "A step, against its bytes at \(rate.text)", command: "hosts",
            subject: "hosts")
        var encryption = Section(
            title: "A step with a key, against the same in the clear", command: "hosts",
            subject: "hosts")
        for count in hostCounts {
            let shape = shape(count)
            func step(_ result: TrainingResult) -> Double {
                Double(shape.batchSize) / result.examplesPerSecond * 1e3
            }
            guard let own = contest.rates(Self.own, shape),
                let milliseconds = contest.rounds(Self.own, shape, .lower, step)
            else { continue }
            let floor = LinkFloor(
                hosts: count, rate: rate, byteCount: BareExchange.modelFloats * 4)
            let peer = contest.rates(Self.peer, shape)
            var figure = Figure(
                Goals.place(hosts: count), own, "examples/s", against: peer.map { (Self.peer, $0) },
                entry: entry(.hostsDDP, count))
            figure.seconds = milliseconds.best.map { $0 * 1e-3 }
            let least = try floors.floor(shape)
            if let best = peer?.best {
                let theirs = Figures.fixed(Double(shape.batchSize) / best * 1e3, 1)
                steps.notes.append("\(count) hosts: a step of \(Self.peer) takes \(theirs) ms.")
                figure.floor = Floor(
                    ratio: Double(shape.batchSize) / least.seconds / best, text: least.text)
            }
            steps.figures.append(figure)
            var bound = Figure(
                Goals.place(hosts: count), milliseconds, "ms",
                against: (
                    "bytes at \(rate.text)",
                    Rounds(milliseconds.values.map { _ in floor.seconds * 1e3 }, .lower)
                ), entry: entry(.hostsLink, count))
            bound.floor = Floor(ratio: least.seconds / floor.seconds, text: least.text)
            link.figures.append(bound)
            let clear = contest.rounds(Self.clear, shape, .lower, step)
            var sealed = Figure(
                Goals.place(hosts: count), milliseconds, "ms",
                against: clear.map { ("in the clear", $0) }, entry: entry(.encryption, count))
            sealed.floor = clear?.best.map {
                Floor(ratio: least.seconds * 1e3 / $0, text: least.text)
            }
            encryption.figures.append(sealed)
        }
        link.notes = [
            "Of N hosts each sends and gets 2 (N − 1) / N of the model in a step, one shard a host; "
                + "headers add 4.6 %, rows that no example touches need not be sent."
        ]
        encryption.notes = notes
        return [steps, link, encryption]
    }
}
