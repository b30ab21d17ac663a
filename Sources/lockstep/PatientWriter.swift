import Foundation
import LockstepRuntime
import Synchronization

/// Writes lines to a stream that may take nothing for a while: a pipe whose reader sleeps, a
/// terminal that was stopped with Ctrl-S. Nobody waits for it longer than a moment.
///
/// While the stream takes what it is given, a line is there when `write` returns. When it does not,
/// lines wait in memory up to a bound, then they are left out, and how many is said later.
final class PatientWriter: Sendable {
    private struct Line: Sendable {
        let bytes: [UInt8]
        let written = DispatchSemaphore(value: 0)
    }

    private struct State {
        var lines: [Line] = []
        var byteCount = 0
        var leftOut = 0
        var hasThread = false
        /// Whether the stream took too long for the last line that was waited for.
        var isStuck = false
    }

    private let descriptor: Int32
    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)

    /// A healthy stream takes microseconds; a busy machine some milliseconds.
    private static let patienceMilliseconds = 100
    private static let maximumByteCount = 1 << 18

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Parameter isNeeded: whether it is kept however many lines wait.
    func write(_ text: String, isNeeded: Bool = false) {
        let line = Line(bytes: Array(text.utf8))
        let isStuck: Bool? = state.withLock { state in
            guard isNeeded || state.byteCount < Self.maximumByteCount else {
                state.leftOut += 1
                return nil
            }
            if !state.hasThread {
                state.hasThread = startThread(named: "console") { [self] in work() }
                // Where the system gives no thread it may as well take its time.
                if !state.hasThread {
                    put(line.bytes)
                    return nil
                }
            }
            state.lines.append(line)
            state.byteCount += line.bytes.count
            return state.isStuck
        }
        guard let isStuck else { return }
        arrival.signal()
        if !isStuck { wait(for: line, milliseconds: Self.patienceMilliseconds) }
    }

    /// Waits until everything is written, within a bound.
    func drain(milliseconds: Int) {
        guard let last = state.withLock({ $0.lines.last }) else { return }
        wait(for: last, milliseconds: milliseconds)
    }

    private func wait(for line: Line, milliseconds: Int) {
        if line.written.wait(timeout: .now() + .milliseconds(milliseconds)) == .success {
            // For whoever else waits.
            line.written.signal()
        } else {
            state.withLock { $0.isStuck = !$0.lines.isEmpty }
        }
    }

    private func work() {
        while true {
            arrival.wait()
            // It stays in the list until it is written, so that one can wait for the last.
            guard let line = state.withLock({ $0.lines.first }) else { continue }
            put(line.bytes)
            let leftOut = state.withLock { state in
                state.lines.removeFirst()
                state.byteCount -= line.bytes.count
                guard state.lines.isEmpty else { return 0 }
                state.isStuck = false
                defer { state.leftOut = 0 }
                return state.leftOut
            }
            line.written.signal()
            if leftOut > 0 {
                put(Array("(\(leftOut) lines were left out, because nobody was reading)\n".utf8))
            }
        }
    }

    /// One call a line where the stream lets it be, so that lines of several processes do not mix.
    private func put(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                // Somebody who shares the stream has asked not to wait for it.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&entry, 1, -1)
            } else if count == 0 || errno != EINTR {
                // Nobody is there to be told.
                return
            }
        }
    }
}
