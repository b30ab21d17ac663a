/// A number that names one thing of the protocol, so that a step is never taken for a shard.
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

/// The number that the coordinator gives each process that joins, from 1; 0 means none yet.
package struct Incarnation: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let none: Incarnation = 0
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

/// The number of an assignment of leaves to workers, ascending within a run, from 0.
package struct ViewNumber: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A number that the coordinator draws at its start: frames of another session are void.
/// 0 stands in the frames of those who have not been welcomed yet.
package struct SessionID: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let none: SessionID = 0
}

/// A connection as the runtime numbers it; the runtime maps it to a routing id. One process may
/// come by several in its life, so who it is follows from its incarnation.
package struct PeerHandle: Identifier {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A point of monotonic time in milliseconds since any fixed origin.
package struct Instant: Identifier {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package func advanced(byMilliseconds milliseconds: Int) -> Instant {
        Instant(rawValue: rawValue + UInt64(milliseconds))
    }

    /// The milliseconds from `earlier` to this point; 0 if it lies later.
    package func milliseconds(since earlier: Instant) -> Int {
        rawValue > earlier.rawValue ? Int(rawValue - earlier.rawValue) : 0
    }
}
