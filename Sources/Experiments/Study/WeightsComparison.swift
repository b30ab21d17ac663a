package import RunRecords

/// Whether runs came to the weights that others of their seeds came to.
package struct WeightsComparison {
    private let planned: Int
    private let trained: Int
    /// Seeds that both sides have weights of.
    private let compared: Int
    private let isSame: Bool

    /// - Parameters:
    ///   - base: what they are compared with.
    ///   - planned: how many there should be.
    package init(_ runs: [RunOutcome], with base: [RunOutcome], of planned: Int) {
        let (own, others) = (Self.weights(of: runs), Self.weights(of: base))
        let seeds = own.keys.filter { others[$0] != nil }
        self.planned = planned
        trained = own.count
        compared = seeds.count
        isSame = seeds.allSatisfy { own[$0] == others[$0] }
    }

    private static func weights(of runs: [RunOutcome]) -> [UInt64: String] {
        runs.reduce(into: [:]) { weights, run in
            guard let hash = run.end?.weightsSHA256, !hash.isEmpty else { return }
            weights[run.run.seed] = hash
        }
    }

    /// For a cell of a table. Runs that failed have no weights, and are neither alike nor
    /// different.
    package var text: String {
        if !isSame { return "DIFFERENT" }
        if trained == 0 { return "failed" }
        if compared == 0 { return "nothing to compare with" }
        return compared < planned ? "the same bits (\(compared) of \(planned))" : "the same bits"
    }
}
