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

/// Times all in turn, one sample each, round by round, until `seconds` have gone by for each of
/// them, and takes each round's best sample: what the machine can do, undisturbed.
///
/// - Parameter samples: each gives seconds a call, in one sample.
/// - Returns: seconds a call, in the order of `samples`.
func roundTimes<Failure>(
    _ samples: [() throws(Failure) -> Double], seconds: Double, rounds: Int
) throws(Failure) -> [Rounds] {
    // The first samples find cold caches and a sleeping processor.
    for sample in samples { _ = try sample() }
    var all = samples.map { _ in Rounds([], .lower) }
    for _ in 0..<rounds {
        var best = samples.map { _ in Double.infinity }
        let end = secondsNow() + seconds * Double(samples.count) / Double(rounds)
        repeat {
            for index in samples.indices { best[index] = min(best[index], try samples[index]()) }
        } while secondsNow() < end
        for index in samples.indices { all[index].values.append(best[index]) }
    }
    return all
}

func roundTimes(_ sides: [Timed], seconds: Double, rounds: Int = 5) -> [Rounds] {
    roundTimes(sides.map { $0.sample }, seconds: seconds, rounds: rounds)
}
