import Foundation
package import RunRecords

/// All runs as one tidy table: a row a run and epoch. A run without a whole epoch has one row
/// without an epoch's figures, so that none is missing.
struct RunsTable {
    static let columns = [
        "configuration", "configuration_sha256", "dataset", "dataset_sha256", "seed", "batch_size",
        "workers", "threads", "servers", "host", "cores", "kernels", "parallelism", "epoch", "step",
        "examples", "examples_so_far", "seconds",
        "train_loss", "train_accuracy", "test_loss", "test_accuracy", "weights_sha256", "status",
    ]

    enum Cell {
        case text(String)
        case integer(Int)
        case seed(UInt64)
        case number(Double)
        case none

        var json: Any {
            switch self {
            case .text(let text): text
            case .integer(let value): value
            case .seed(let seed): ReportPage.json(seed)
            case .number(let value): ReportPage.json(value)
            case .none: NSNull()
            }
        }

        var csv: String {
            switch self {
            case .text(let text): CSV.quoted(text)
            case .integer(let value): String(value)
            case .seed(let seed): String(seed)
            case .number(let value): CSV.number(value)
            case .none: ""
            }
        }
    }

    let rows: [[Cell]]

    init(_ runs: [RunOutcome]) {
        rows = runs.flatMap(Self.rows)
    }

    private static func rows(_ run: RunOutcome) -> [[Cell]] {
        let identity: [Cell] = [
            .text(run.run.configuration), .text(run.provenance.configurationSHA256),
            .text(run.provenance.dataset), .text(run.provenance.datasetSHA256),
            .seed(run.run.seed), run.batchSize.map(Cell.integer) ?? Cell.none,
            .integer(run.run.placement.workers), .integer(run.run.placement.threads),
            .integer(run.run.placement.servers), .text(run.run.machine?.host ?? ""),
            run.run.machine.map { .integer($0.cores) } ?? .none,
            .text(run.run.versions["kernels"] ?? ""),
            run.end?.parallelism.map(Cell.integer) ?? Cell.none,
        ]
        let status = Cell.text(run.statusName)
        guard !run.epochs.isEmpty else {
            return [
                identity + [.integer(0), .integer(run.steps), .integer(0), .integer(0)]
                    + [.number(run.end?.seconds ?? .nan), .none, .none, .none, .none]
                    + [.text(run.end?.weightsSHA256 ?? ""), status]
            ]
        }
        var examples = 0
        return run.epochs.map { epoch in
            examples += epoch.examples
            return identity + [
                .integer(epoch.epoch), .integer(epoch.step), .integer(epoch.examples),
                .integer(examples), .number(epoch.seconds), .number(epoch.trainLoss),
                .number(epoch.trainAccuracy), .number(epoch.testLoss), .number(epoch.testAccuracy),
                .text(epoch.weightsSHA256), status,
            ]
        }
    }

    var csv: String { CSV.text(Self.columns, rows.lazy.map { $0.map(\.csv) }) }
}

extension RunOutcome {
    /// The global batch; nil where neither the settings nor the end name it.
    package var batchSize: Int? {
        run.settings["batch_size"].flatMap(Int.init) ?? end?.batchSize
    }

    package var statusName: String { end?.status.rawValue ?? "unfinished" }
}
