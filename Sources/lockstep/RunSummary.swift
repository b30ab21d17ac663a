import Datasets
import Foundation
import RunRecords
import TerminalText

extension RunOutcome {
    /// The result of a run for a person, in a few lines.
    ///
    /// - Parameter directory: where its records are.
    func summary(directory: String) -> String {
        guard let end else {
            return "\(run.configuration), seed \(run.seed): no end in \(directory)/metrics.jsonl"
        }
        let rows = [
            ("data", "\(end.dataset) (SHA-256 \(end.datasetSHA256.prefix(12)))\(warning(end))"),
            ("test accuracy", Self.text(end.testAccuracy * 100, "%.2f %%")),
            ("test loss", Self.text(end.testLoss, "%.5f")),
            (
                "trained",
                "\(end.steps) steps of \(end.batchSize), \(Figures.plural(end.epochs, "epoch")), in "
                    + Self.text(end.seconds, "%.2f s")
            ),
            ("speed", Self.text(end.examplesPerSecond, "%.0f examples/s")),
            ("placement", placement(end)),
            ("weights", Self.weights(end)),
            ("configuration", "SHA-256 \(end.configurationSHA256)"),
            ("directory", directory),
        ]
        let table = TextTable(words: rows.map { ["  " + $0, $1] })
        return "\(end.configuration), seed \(end.seed): \(end.ending)\n" + table.text()
    }

    private static func weights(_ end: EndRecord) -> String {
        if !end.weightsSHA256.isEmpty { return "SHA-256 \(end.weightsSHA256)" }
        return end.status == .interrupted
            ? "in the newest checkpoint; the same command on the directory resumes it" : "lost"
    }

    private func warning(_ end: EndRecord) -> String {
        end.dataset == MNIST.name ? "" : ": this is not MNIST"
    }

    private func placement(_ end: EndRecord) -> String {
        func count(_ number: Int, _ noun: String) -> String {
            "\(number) \(noun)\(number == 1 ? "" : "s")"
        }
        return end.workers == 0
            ? "in one process, \(count(end.threads, "thread"))"
            : "\(count(end.workers, "worker")), \(count(end.threads, "thread")) each, "
                + count(end.servers, "server")
    }

    /// A figure that could not be measured is said to be so: no NaN is shown as a result.
    private static func text(_ value: Double, _ format: String) -> String {
        value.isFinite ? String(format: format, value) : "not known"
    }
}
