import Foundation
import Synchronization

/// How fast a run commits steps, from outside: by the growth of its `metrics.jsonl`.
///
/// Lines reach the file in blocks. A rate is taken between two such moments, the last one before a
/// span and the first one after it, so that whatever stood still in the span counts in full.
final class StepWatch {
    private struct State {
        var samples: [(time: Double, byteCount: Int)] = []
        var isOver = false
    }

    private final class Shared: Sendable { let state = Mutex(State()) }

    private let path: String
    private let shared = Shared()
    /// After `finish()`: when how many steps were in the file.
    private var times: [Double] = []
    private var steps: [Int] = []

    static var now: Double { ProcessInfo.processInfo.systemUptime }

    init(_ path: String) {
        self.path = path
        Thread.detachNewThread { [shared] in
            var last = -1
            while !shared.state.withLock({ $0.isOver }) {
                var status = stat()
                let byteCount = unsafe stat(path, &status) == 0 ? Int(status.st_size) : -1
                if byteCount != last {
                    last = byteCount
                    shared.state.withLock { $0.samples.append((Self.now, byteCount)) }
                }
                usleep(2_000)
            }
        }
    }

    deinit { shared.state.withLock { $0.isOver = true } }

    /// How fast the file grew in a span that is over: as good as the rate of steps, while the run
    /// continues.
    func bytesPerSecond(from start: Double, to end: Double) -> Double {
        let samples = shared.state.withLock { $0.samples }
        guard let first = samples.last(where: { $0.time <= start }),
            let last = samples.first(where: { $0.time >= end }) ?? samples.last,
            last.time > first.time
        else { return 0 }
        return Double(last.byteCount - first.byteCount) / (last.time - first.time)
    }

    /// Reads the run's lines, once it is over.
    func finish() throws {
        let samples = shared.state.withLock { state in
            state.isOver = true
            return state.samples
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        var ends: [Int] = []
        unsafe bytes.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            let mark = Array(#"{"event":"step""#.utf8)
            var start = 0
            while let end = unsafe bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                if unsafe bytes[start...].starts(with: mark) { ends.append(end + 1) }
                start = end + 1
            }
        }
        var count = 0
        for sample in samples {
            while count < ends.count, ends[count] <= sample.byteCount { count += 1 }
            if count > steps.last ?? -1 {
                times.append(sample.time)
                steps.append(count)
            }
        }
    }

    /// The mean time of a step in milliseconds over a span, rounded outwards to the growths of the
    /// file; nil where the run was not continuing.
    func stepMilliseconds(from start: Double, to end: Double) -> Double? {
        guard let first = times.lastIndex(where: { $0 <= start }),
            let last = times.firstIndex(where: { $0 >= end })
        else { return nil }
        return (times[last] - times[first]) / Double(steps[last] - steps[first]) * 1_000
    }
}

/// A line of `/proc/PID/status`, in kilobytes.
func memoryKilobytes(_ field: String, of process: Int32) -> Int {
    let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    return line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
}
