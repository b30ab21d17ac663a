/// A number that names one thing, so that a step is never taken for a shard.
package protocol Identifier: RawRepresentable, Hashable, Comparable, Codable, Sendable,
    CustomStringConvertible, ExpressibleByIntegerLiteral
where RawValue: FixedWidthInteger & UnsignedInteger & Codable & Sendable {
    init(rawValue: RawValue)
}

extension Identifier {
    /// - Precondition: `value` is not negative and fits the raw type.
    package init(_ value: Int) { self.init(rawValue: RawValue(value)) }
    package init(integerLiteral value: RawValue) { self.init(rawValue: value) }
    package var index: Int { Int(rawValue) }
    package var next: Self { Self(rawValue: rawValue + 1) }
    package var description: String { "\(rawValue)" }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The place of a run in the list of runs of a session, from 0.
package struct RunIndex: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One optimiser update, from 0. The weights *of* step t are those before it: after t updates.
package struct Step: Identifier {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One contiguous slice of the flat parameter vector, from 0.
package struct ShardIndex: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The place of a worker in a view, from 0: it decides which leaves the worker computes.
package struct WorkerOrdinal: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}
