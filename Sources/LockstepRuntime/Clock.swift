import Glibc
import LockstepProtocol

/// The monotonic clock, as the machines take it and as records need it.
enum Clock {
    /// Milliseconds since the host started.
    static var now: Instant { Instant(rawValue: nanoseconds / 1_000_000) }

    static var nanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seconds since `start`, a value of `nanoseconds`.
    static func seconds(since start: UInt64) -> Double { Double(nanoseconds - start) / 1e9 }
}

/// How often a loop tells its machine that time passes.
let tickMilliseconds = 50

/// Whether `last` lies a tick back; moves it on if so.
func isTickDue(_ now: Instant, since last: inout Instant) -> Bool {
    guard now.milliseconds(since: last) >= tickMilliseconds else { return false }
    last = now
    return true
}
