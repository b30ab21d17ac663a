import Foundation
import RunRecords

/// Curves of the same configurations in another program, from a JSON file:
///
/// `{"what": "…", "configurations": {"mse-tanh": {"runs": [{"seed": 1, "epochs": [[1, train loss,
/// train accuracy, test loss, test accuracy], …]}]}}}`, accuracies as shares.
package struct ReferenceCurves: Decodable, Equatable, Sendable {
    package struct Run: Decodable, Equatable, Sendable {
        package var seed: UInt64
        package var epochs: [[Double]]
    }

    package struct Configuration: Decodable, Equatable, Sendable {
        package var runs: [Run]
    }

    /// Which program, with which versions.
    package var what: String
    package var configurations: [String: Configuration]

    /// - Throws: ``FileError``, and ``ReferenceError`` for a file of another kind.
    package init(reading path: String) throws {
        let bytes = try Files.read(path)
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw ReferenceError(path: path)
        }
        guard
            configurations.values.flatMap(\.runs).allSatisfy({ run in
                !run.epochs.isEmpty && run.epochs.allSatisfy { $0.count == 5 }
            })
        else { throw ReferenceError(path: path) }
    }
}

/// A file that holds no curves (exit code 65).
package struct ReferenceError: Error, Equatable, CustomStringConvertible {
    package let path: String

    package var description: String {
        "\(path) holds no curves of configurations: it needs “what” and “configurations”, each with “runs” of "
            + "a “seed” and “epochs” of five figures (epoch, train loss and accuracy, test loss and "
            + "accuracy); give another file with --reference"
    }
}

extension ReferenceCurves.Run {
    /// Test accuracy by epoch.
    package var testAccuracies: [(epoch: Double, value: Double)] { epochs.map { ($0[0], $0[4]) } }
}
