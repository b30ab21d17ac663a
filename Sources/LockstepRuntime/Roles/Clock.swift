import Glibc
public import LockstepProtocol
import TrainingPlan

/// Where a role has its time from.
public protocol Clock: Sendable {
    var now: Instant { get }
}

/// The monotonic clock, as the machines take it and as records need it.
package struct SystemClock: Clock {
    package init() {}

    /// Since the host started.
    package var now: Instant { Instant(rawValue: Self.nanoseconds / 1_000_000) }

    package static var nanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seconds since `start`, a value of `nanoseconds`.
    package static func seconds(since start: UInt64) -> Double { Double(nanoseconds - start) / 1e9 }
}

/// Time as a role lives through it: while its process is suspended, none passes. So a role that was
/// asleep does not take its own silence for that of others.
@usableFromInline struct AwakeClock<Time: Clock> {
    @usableFromInline let clock: Time
    @usableFromInline var last: Instant
    @usableFromInline var asleep: UInt64 = 0

    @inlinable init(_ clock: Time) {
        self.clock = clock
        last = clock.now
    }

    /// To be asked often: whatever happens between two questions that are far apart is sleep.
    @inlinable mutating func now() -> Instant {
        let now = clock.now
        let gap = now.milliseconds(since: last)
        if gap >= RoleLimits.suspensionMilliseconds { asleep += UInt64(gap) }
        last = max(last, now)
        return Instant(rawValue: last.rawValue - asleep)
    }
}
