/// What a report needs of one run, gathered from its records as they are written or read back.
package struct RunOutcome: Equatable, Sendable {
    package private(set) var run: RunRecord
    package private(set) var provenance: Provenance
    package private(set) var evaluations: [EvaluationRecord] = []
    package private(set) var epochs: [EpochRecord] = []
    /// Where lines of the log are missing.
    package private(set) var gaps: [GapRecord] = []
    /// Missing while the run continues, or where a crash cut it off.
    package private(set) var end: EndRecord?
    /// Mean share of saturated units of each layer over the newest epoch; empty before its first
    /// step.
    package var saturation: [Double] {
        saturationSums.map { $0 / Double(saturationCount) }
    }

    /// Whether it came to an end that counts as a result.
    package var isResult: Bool { end?.status.isResult == true }

    /// Whether its seconds are its own: no other run of ours was trained beside it. Logs of earlier
    /// versions do not tell, and are taken for such.
    package var hadMachineAlone: Bool { end?.parallelism ?? 1 == 1 }

    /// Whether it ended before its time, by nothing that it did itself: it was interrupted or
    /// killed, lost a peer, or still goes on.
    package var isCutShort: Bool {
        switch end?.status {
        case .interrupted, .lost, nil: true
        case .completed, .target, .diverged: false
        }
    }

    /// Updates done, as far as the records tell.
    package var steps: Int { end?.steps ?? lastRecordedStep }

    private var lastRecordedStep = 0

    private var saturationSums: [Double] = []
    private var saturationCount = 0
    private var saturationEpoch = 0

    package init(run: RunRecord, provenance: Provenance) {
        self.run = run
        self.provenance = provenance
    }

    /// The outcome of a log; nil where it holds no whole line.
    package init?(_ file: MetricsFile) {
        guard let provenance = file.provenance, case .run(let run) = file.records.first else {
            return nil
        }
        self.init(run: run, provenance: provenance)
        for record in file.records { add(record) }
    }

    package mutating func add(_ record: MetricsRecord) {
        switch record {
        case .run(let record): run = record
        case .step(let record):
            lastRecordedStep = record.step
            addSaturation(of: record)
        case .evaluation(let record):
            lastRecordedStep = record.step
            evaluations.append(record)
        case .epoch(let record):
            lastRecordedStep = record.step
            epochs.append(record)
        case .gap(let record): gaps.append(record)
        case .end(let record): end = record
        }
    }

    private mutating func addSaturation(of record: StepRecord) {
        if record.epoch != saturationEpoch || record.saturation.count != saturationSums.count {
            saturationSums = [Double](repeating: 0, count: record.saturation.count)
            saturationCount = 0
            saturationEpoch = record.epoch
        }
        for (layer, share) in record.saturation.enumerated() {
            saturationSums[layer] += Double(share)
        }
        saturationCount += 1
    }
}
