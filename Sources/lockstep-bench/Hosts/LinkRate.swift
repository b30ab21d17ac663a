import ArgumentParser

/// What a link carries each way, written as tc has it: 1gbit, 100mbit.
package struct LinkRate: ExpressibleByArgument, Equatable, Sendable {
    package let bitsPerSecond: Double
    let text: String

    package static let oneGigabit = LinkRate(bitsPerSecond: 1e9, text: "1gbit")

    private static let units = [("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)]

    init(bitsPerSecond: Double, text: String) {
        self.bitsPerSecond = bitsPerSecond
        self.text = text
    }

    package init?(argument: String) {
        for (unit, factor) in Self.units where argument.hasSuffix(unit) {
            guard let count = Int(argument.dropLast(unit.count)), count > 0 else { return nil }
            self.init(bitsPerSecond: Double(count) * factor, text: argument)
            return
        }
        return nil
    }

    package var defaultValueDescription: String { text }

    /// Seconds that so many bytes take.
    func seconds(_ bytes: Double) -> Double { bytes * 8 / bitsPerSecond }
}

/// The least that a synchronous step moves over each host's link.
package struct LinkFloor {
    let hosts: Int
    let rate: LinkRate
    /// Of the model.
    let byteCount: Int

    package init(hosts: Int, rate: LinkRate, byteCount: Int) {
        (self.hosts, self.rate, self.byteCount) = (hosts, rate, byteCount)
    }

    /// Ethernet, IP and TCP headers with time stamps, for every 1,448 bytes.
    static let headerFactor = 1_514.0 / 1_448

    /// Bytes out of each host, and as many into it; a link carries both at once.
    ///
    /// With a shard on each of N hosts, a worker pushes the N − 1 other shards, 1/N of the model
    /// each, and its server sends its shard to the N − 1 other workers: 2 (N − 1) / N of the model.
    package var bytesEachWay: Double {
        2 * Double(hosts - 1) / Double(hosts) * Double(byteCount)
    }

    package var seconds: Double { rate.seconds(bytesEachWay) }
}
