import Foundation
import TestSupport
import Testing

/// Runs of five configurations on few digits, one of them diverged, and a report on them.
struct ReportedRuns {
    let folder: String
    let runs: [String]
    var report: String { folder + "/report" }

    /// Trains, reports, and removes all of it when the body ends.
    static func with(_ body: (ReportedRuns) throws -> Void) throws {
        try TrainedRun.with(settings("mse-tanh", 1)) { first in
            var runs = [first.run]
            func train(_ settings: [String]) throws {
                runs.append("\(first.folder)/more/deep/\(runs.count)")
                try first.train(settings, to: runs[runs.count - 1])
            }
            for seed in 1...4 {
                for name in ["mse-tanh", "mse-tanh-rescaled", "ce-softmax"] {
                    if (name, seed) != ("mse-tanh", 1) { try train(settings(name, seed)) }
                }
            }
            try train(["--optimizer", "sgd", "--learning-rate", "1e30"])
            try train(settings("ce-softmax", 5) + ["--evaluate-every", "20"])
            let folder = first.folder
            let run = try Lockstep.run(
                ["report", folder, "--output", folder + "/report", "--title", "A < B & C"])
            try #require(run.status == 0, "\(run.output)")
            try body(ReportedRuns(folder: folder, runs: runs))
        }
    }

    private static func settings(_ name: String, _ seed: Int) -> [String] {
        ["--preset", name, "--seed", "\(seed)", "--learning-rate", "0.003"]
    }
}
