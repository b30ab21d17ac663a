/// A number that names one thing, so that a step is never taken for a shard.
///
/// Identifiers are `public` and `@inlinable`, because the compiler looks through nothing that is
/// `package` from another module: a comparison of two steps would be several calls through tables.
public protocol Identifier: RawRepresentable, Hashable, Comparable, Codable, Sendable,
    CustomStringConvertible, ExpressibleByIntegerLiteral
where RawValue: FixedWidthInteger & UnsignedInteger & Codable & Sendable {
    init(rawValue: RawValue)
}

extension Identifier {
    /// - Precondition: `value` is not negative and fits the raw type.
    @inlinable public init(_ value: Int) { self.init(rawValue: RawValue(value)) }
    @inlinable public init(integerLiteral value: RawValue) { self.init(rawValue: value) }
    @inlinable public var index: Int { Int(rawValue) }
    @inlinable public var next: Self { Self(rawValue: rawValue + 1) }
    public var description: String { "\(rawValue)" }
    @inlinable public static func < (left: Self, right: Self) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The place of a run in the list of runs of a session, from 0.
public struct RunIndex: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One optimiser update, from 0. The weights *of* step t are those before it: after t updates.
public struct Step: Identifier {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One contiguous slice of the flat parameter vector, from 0.
public struct ShardIndex: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The place of a worker in a view, from 0: it decides which leaves the worker computes.
public struct WorkerOrdinal: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}
