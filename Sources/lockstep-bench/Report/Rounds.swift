/// What the rounds of one side gave, in their order.
package struct Rounds: Sendable {
    package enum Better: Sendable { case higher, lower }

    package var values: [Double]
    package let better: Better

    package init(_ values: [Double], _ better: Better) {
        self.values = values
        self.better = better
    }

    /// That of the round that was disturbed least.
    package var best: Double? {
        switch better {
        case .higher: values.max()
        case .lower: values.min()
        }
    }

    package func map(_ better: Better, _ body: (Double) -> Double) -> Rounds {
        Rounds(values.map(body), better)
    }

    /// Lowest and highest ratio of rounds that were measured one after the other.
    ///
    /// The ratio of the best rounds lies within: the best round of one side met at most the best of
    /// the other.
    package static func spread(_ own: Rounds, _ other: Rounds) -> ClosedRange<Double>? {
        let ratios = zip(own.values, other.values).map { $0 / $1 }
        guard let lowest = ratios.min(), let highest = ratios.max() else { return nil }
        return lowest...highest
    }
}
