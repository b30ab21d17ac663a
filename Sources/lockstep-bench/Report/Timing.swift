import Glibc

/// The monotonic clock in seconds, from any fixed origin.
func secondsNow() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Something whose calls are timed in samples of several.
struct Timed {
    /// Calls of one sample.
    var calls: Int
    /// Before each sample, outside of the measured time.
    var prepare: () -> Void = {}
    var call: () -> Void

    /// Seconds a call, in one sample.
    func sample() -> Double {
        prepare()
        let start = secondsNow()
        for _ in 0..<calls { call() }
        return (secondsNow() - start) / Double(calls)
    }
}

/// Times all in turn, one sample each, until `seconds` have gone by for each of them, and takes the
/// best sample: what the machine can do, undisturbed.
///
/// - Returns: seconds a call, in the order of `sides`.
func bestTimes(_ sides: [Timed], seconds: Double) -> [Double] {
    // The first samples find cold caches and a sleeping processor.
    var best = sides.map { $0.sample() }
    let end = secondsNow() + seconds * Double(sides.count)
    repeat {
        for index in sides.indices { best[index] = min(best[index], sides[index].sample()) }
    } while secondsNow() < end
    return best
}
