public import TrainingPlan

/// The number that the coordinator gives each process that joins, from 1; 0 means none yet.
public struct Incarnation: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let none: Incarnation = 0
}

/// The number of an assignment of leaves to workers, ascending within a run, from 0.
public struct ViewNumber: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The number of a placement of shards on servers, ascending within a run, from 0.
public struct Generation: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The number of a statement (``Status`` or ``Assignment``) among those of its sender to its
/// receiver, from 1: of two, the one with the higher number is the newer.
public struct StatementNumber: Identifier {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A number that the coordinator draws at its start: frames of another session are void.
/// 0 stands in the frames of those who have not joined yet.
public struct SessionID: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let none: SessionID = 0
}

/// A connection to a port of this process, as the transport numbers it. One process may come by
/// several in its life, so who it is follows from its incarnation.
public struct PeerHandle: Identifier {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A point of monotonic time in milliseconds since any fixed origin.
public struct Instant: Identifier {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable public func advanced(byMilliseconds milliseconds: Int) -> Instant {
        Instant(rawValue: rawValue + UInt64(milliseconds))
    }

    /// The milliseconds from `earlier` to this point; 0 if it lies later.
    @inlinable public func milliseconds(since earlier: Instant) -> Int {
        rawValue > earlier.rawValue ? Int(rawValue - earlier.rawValue) : 0
    }
}
