package import RunRecords
import Statistics
package import TerminalText

extension Comparison {
    /// Where convergence is timed on data as easy as MNIST.
    package static let thresholds = [0.95, 0.96, 0.97]
    /// The one that claims are about and that learning rates are chosen for.
    package static let primaryThreshold = thresholds[0]

    /// The accuracies to time runs at: those of MNIST where one of them reaches the lowest, else
    /// the highest whole percent that one of them reaches and the two below, as on Fashion-MNIST.
    package static func thresholds(for runs: [RunOutcome]) -> [Double] {
        let best =
            runs.filter { $0.end?.status != .diverged }
            .flatMap(\.testCurve).map(\.value).filter(\.isFinite).max() ?? 0
        guard let lowest = thresholds.first, best < lowest else { return thresholds }
        // A decimal that is a whole percent may lie just below it in binary.
        let percent = Int((best * 100 + 1e-9).rounded(.down))
        guard percent >= thresholds.count else { return thresholds }
        return (percent - thresholds.count + 1...percent).map { Double($0) / 100 }
    }

    /// The table at the end of `compare`: rows are epochs and figures, columns are configurations.
    package func table(_ style: TextStyle = TextStyle()) -> String {
        guard !groups.isEmpty else { return "no run to show" }
        var table = TextTable()
        table.add([""] + groups.map(\.label))
        addEpochs(to: &table)
        addCrossings(to: &table)
        addFigures(to: &table)
        addIdentities(to: &table)
        return ([title(style), subtitle(style), "", table.text(style)] + notes(style))
            .joined(separator: "\n")
    }

    private func title(_ style: TextStyle) -> String {
        let deviation = seedCount > 1 ? ", mean ± standard deviation over \(seeds)" : ""
        return style.bold(style.adapted("Convergence on \(datasets)\(deviation)"))
    }

    private func subtitle(_ style: TextStyle) -> String {
        let batches = Set(runs.compactMap { $0.end?.batchSize }).sorted().map(Figures.count)
        let placements = Set(
            runs.map {
                let placement = $0.run.placement
                return placement.workers == 0
                    ? "in process, \(Figures.plural(placement.threads, "thread"))"
                    : "\(Figures.plural(placement.workers, "worker")) × "
                        + "\(Figures.plural(placement.threads, "thread")), "
                        + Figures.plural(placement.servers, "server")
            })
        let parts =
            (batches.isEmpty ? [] : ["batch \(batches.joined(separator: ", "))"])
            + (seedCount == 1 ? [seeds] : []) + placements.sorted()
            + Set(runs.map(\.machineText)).filter { !$0.isEmpty }.sorted()
        return style.adapted(parts.joined(separator: " · "))
    }

    private func addEpochs(to table: inout TextTable) {
        table.addRule()
        let last = runs.flatMap(\.epochs).map(\.epoch).max() ?? 0
        table.add(["test accuracy, %"] + groups.map { _ in "" })
        for epoch in 1..<(last + 1) {
            table.add(
                ["  epoch \(epoch)"]
                    + groups.map { group in
                        let values = group.runs.compactMap { run in
                            run.epochs.first { $0.epoch == epoch }?.testAccuracy
                        }
                        let cell = Figures.meanAndDeviation(Summary(values), 2, scale: 100)
                        let isPartial = !values.isEmpty && values.count < group.runs.count
                        return isPartial ? "\(cell) (\(values.count))" : cell
                    })
        }
    }

    private var hasOwnSeconds: Bool { runs.allSatisfy(\.hadMachineAlone) }

    private func addCrossings(to table: inout TextTable) {
        table.addRule()
        for (name, digits, value) in [
            ("steps", 0, { (point: CurvePoint) in Double(point.step) }),
            ("seconds", 2, \.seconds),
        ] where name == "steps" || hasOwnSeconds {
            for threshold in thresholds {
                table.add(
                    ["\(name) to \(Figures.percent(threshold))"]
                        + groups.map { group in
                            cell(
                                group.runs.map { $0.crossing(of: threshold) }, digits: digits,
                                value: value)
                        })
            }
        }
    }

    /// The mean where all reached the threshold; a lower bound of it where some did not, which
    /// counts those with the point up to which they did not.
    private func cell(
        _ crossings: [Crossing], digits: Int, value: (CurvePoint) -> Double
    ) -> String {
        let reached = crossings.count(where: \.isReached)
        let summary = Summary(crossings.map { value($0.point) })
        if reached == crossings.count { return Figures.meanAndDeviation(summary, digits) }
        guard reached > 0, let summary else { return "not reached" }
        return "≥ \(Figures.fixed(summary.mean, digits)) (\(reached)/\(crossings.count))"
    }

    private func addFigures(to table: inout TextTable) {
        table.addRule()
        func add(_ label: String, _ digits: Int, _ value: (EndRecord) -> Double) {
            table.add(
                [label]
                    + groups.map { group in
                        Figures.meanAndDeviation(
                            Summary(group.completed.compactMap { $0.end.map(value) }), digits)
                    })
        }
        add("final test loss", 5, \.testLoss)
        if hasOwnSeconds {
            add("training time, s", 2, \.seconds)
            add("examples/s", 0, \.examplesPerSecond)
        }
        let decisions = groups.map { group -> String in
            let ends = group.runs.compactMap(\.end)
            let compared = ends.compactMap(\.rescalingComparedDecisions).reduce(0, +)
            let changed = ends.compactMap(\.rescalingChangedDecisions).reduce(0, +)
            return compared > 0 ? "\(Figures.count(changed)) of \(Figures.count(compared))" : "—"
        }
        if decisions.contains(where: { $0 != "—" }) {
            table.add(["changed by rescaling"] + decisions)
        }
    }

    private func addIdentities(to table: inout TextTable) {
        table.addRule()
        for seed in Set(runs.map(\.run.seed)).sorted() {
            table.add(
                [seedCount == 1 ? "weights" : "weights, seed \(seed)"]
                    + groups.map { group in
                        let run = group.runs.last { $0.run.seed == seed }
                        return Figures.shortHash(
                            run?.end?.weightsSHA256 ?? run?.epochs.last?.weightsSHA256 ?? "")
                    })
        }
        table.add(
            ["configuration"]
                + groups.map { group in
                    let hashes = Set(group.runs.map(\.provenance.configurationSHA256))
                    return hashes.count == 1
                        ? Figures.shortHash(hashes.joined()) : "\(hashes.count) hashes"
                })
        table.add(["status"] + groups.map(status))
    }

    private func status(of group: Group) -> String {
        let names = group.runs.map { $0.end?.status.rawValue ?? "unfinished" }
        if Set(names).count == 1, let name = names.first {
            return names.count == 1 ? name : "\(names.count) \(name)"
        }
        return "\(group.completed.count) of \(names.count) completed"
    }

    /// What the cells cannot say: runs that did not complete, and signs that need a word.
    private func notes(_ style: TextStyle) -> [String] {
        var notes = groups.flatMap { group in
            group.runs.compactMap { run in
                note(on: run).map { "\(group.label), seed \(run.run.seed): \($0)" }
            }
        }
        if groups.contains(where: { group in
            Set(group.runs.map(\.epochs.count)).count > 1
        }) {
            notes.append("(n): the mean over the n runs that came so far")
        }
        if groups.contains(where: { group in
            thresholds.contains { threshold in
                let reached = group.runs.count { $0.crossing(of: threshold).isReached }
                return reached > 0 && reached < group.runs.count
            }
        }) {
            notes.append(
                "≥ (m/n): only m of n runs reached it; the others count up to their end, "
                    + "so the mean lies above")
        }
        for group in groups {
            let sources = Set(group.runs.compactMap { $0.end?.weightsFrom })
            guard
                let source = groups.first(where: { group in
                    group.runs.contains { sources.contains($0.provenance.configurationSHA256) }
                })
            else { continue }
            notes.append(
                "\(group.label) has the weights of \(source.label), which were trained once: only "
                    + "the outputs are decoded in another way")
        }
        return notes.isEmpty ? [] : [""] + notes.map { style.wrapped($0) }
    }

    private func note(on run: RunOutcome) -> String? {
        guard let end = run.end else {
            return "unfinished, no end in its log; figures up to its last line"
        }
        let place =
            switch end.status {
            case .completed, .target: String?.none
            case .diverged: "diverged at step \(Figures.count(end.divergedStep ?? end.steps))"
            case .interrupted: "interrupted after step \(Figures.count(end.steps))"
            case .lost: "lost a peer after step \(Figures.count(end.steps))"
            }
        return place.map { place in end.cause.map { "\(place): \($0)" } ?? place }
    }
}
