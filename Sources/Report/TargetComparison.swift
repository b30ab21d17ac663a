package import Statistics

/// When runs of two configurations reached a target, paired by seed.
package struct TargetComparison: Equatable, Sendable {
    /// In one order of seeds.
    package let first: [TimeToEvent]
    package let second: [TimeToEvent]
    /// Up to which runs are compared: nobody looks further.
    package let horizon: Double

    /// - Parameter horizon: nil for the last time up to which every run was watched, if there is a
    ///   time.
    package init(
        _ first: [UInt64: TimeToEvent], _ second: [UInt64: TimeToEvent], horizon: Double? = nil
    ) {
        let seeds = Set(first.keys).intersection(second.keys).sorted()
        let times = seeds.flatMap { [first[$0], second[$0]] }.compactMap { $0 }
        let end = horizon ?? Self.watchedByAll(times)
        self.horizon = end
        self.first = seeds.compactMap { first[$0]?.restricted(to: end) }
        self.second = seeds.compactMap { second[$0]?.restricted(to: end) }
    }

    private static func watchedByAll(_ times: [TimeToEvent]) -> Double {
        times.filter { !$0.isReached && $0.time.isFinite }.map(\.time).min()
            ?? times.filter(\.isReached).map(\.time).max() ?? 0
    }

    package var pairCount: Int { first.count }

    /// Where no run of either gets there, there is nothing to compare.
    package var isTold: Bool { (first + second).contains(where: \.isReached) }

    /// Of the restricted means; nil where there is nothing to compare.
    package func ratio() -> Bootstrap? {
        guard isTold, horizon > 0 else { return nil }
        return Bootstrap(unitCount: pairCount) { places in
            KaplanMeier(places.map { first[$0] }).restrictedMean(to: horizon)
                / KaplanMeier(places.map { second[$0] }).restrictedMean(to: horizon)
        }
    }

    /// By seed.
    package var logRank: LogRank {
        LogRank(zip(first, second).map { LogRank.Stratum(first: [$0], second: [$1]) })
    }

    package var bound: Effect.Bound {
        switch (first.allSatisfy(\.isReached), second.allSatisfy(\.isReached)) {
        case (true, true): .exact
        case (false, true): .atLeast
        case (true, false): .atMost
        case (false, false): .undetermined
        }
    }
}
