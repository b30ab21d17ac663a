import Foundation
import LockstepProtocol
import Synchronization

/// A program that runs beside the bench, and is ended with it.
final class Child {
    private let process = Process()
    private let name: String
    private let input = Pipe()
    private let output = Pipe()
    private let errors: String
    private var received: [UInt8] = []

    /// - Parameters:
    ///   - command: the program's path, and its arguments.
    ///   - environment: replaces variables of ours; nil removes one.
    ///   - folder: where its standard error is kept.
    init(
        _ command: [String], environment: [String: String?] = [:], folder: TemporaryFolder
    ) throws {
        Children.shared.waitIfEnding()
        name = ([(command[0] as NSString).lastPathComponent] + command.dropFirst())
            .joined(separator: " ")
        errors = folder.freshPath("errors")
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        var variables = ProcessInfo.processInfo.environment
        for (key, value) in environment { variables[key] = value }
        process.environment = variables
        process.standardInput = input
        process.standardOutput = output
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        if let file = FileHandle(forWritingAtPath: errors) { process.standardError = file }
        do {
            try process.run()
        } catch {
            throw BenchError(.internalError, "cannot start \(name): \(error)")
        }
        Children.shared.add(process.processIdentifier)
    }

    deinit { end() }

    /// Standard output to its end, and the end of the program, which has to be a success.
    func waitForOutput(seconds: Double) throws -> String {
        let deadline = secondsNow() + seconds
        while try receive(until: deadline) {}
        while process.isRunning, secondsNow() < deadline { usleep(1_000) }
        let isLate = process.isRunning
        end()
        if isLate { throw failure("was not done within \(Int(seconds)) s") }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let how = process.terminationReason == .exit ? "ended with code" : "was ended by signal"
            throw failure("\(how) \(process.terminationStatus)")
        }
        return String(decoding: received, as: UTF8.self)
    }

    /// The next line of standard output.
    func readLine(seconds: Double) throws -> String {
        let deadline = secondsNow() + seconds
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                return line
            }
            guard try receive(until: deadline) else { throw failure("ended before its answer") }
        }
    }

    func write(line: String) throws {
        do {
            try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        } catch {
            throw failure("takes no more requests")
        }
    }

    /// Ends the program, and those that it started, if they are still there.
    func end() {
        try? input.fileHandleForWriting.close()
        if process.isRunning {
            Children.kill(process.processIdentifier)
            process.waitUntilExit()
        }
        Children.shared.remove(process.processIdentifier)
    }

    /// - Returns: false at the end of the stream.
    private func receive(until deadline: Double) throws -> Bool {
        let descriptor = output.fileHandleForReading.fileDescriptor
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds = max(0, (deadline - secondsNow()) * 1000)
        let ready = unsafe poll(&item, 1, Int32(min(milliseconds.rounded(.up), 1e9)))
        if ready < 0, errno == EINTR { return true }
        guard ready > 0 else { throw failure("gave no answer in time") }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        if count < 0, errno == EINTR { return true }
        received += bytes.prefix(max(0, count))
        return count > 0
    }

    /// With the last thing that the program had to say.
    private func failure(_ what: String) -> BenchError {
        let text = FileManager.default.contents(atPath: errors) ?? Data()
        let last = String(decoding: text, as: UTF8.self).split(separator: "\n").last ?? ""
        return BenchError(.lostPeer, "\(name) \(what)" + (last.isEmpty ? "" : ": \(last)"))
    }
}

/// The programs that run now: a signal ends them before it ends the bench.
final class Children: Sendable {
    static let shared = Children()

    private struct State {
        var processIDs: Set<Int32> = []
        var folders: Set<String> = []
        /// What else is to be taken away, by a name of its own.
        var endings: [String: @Sendable () -> Void] = [:]
        /// Nothing is started any more.
        var isEnding = false
    }

    private let state = Mutex(State())
    /// Kept for as long as the process lives, and not touched again.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    private init() {
        let numbers = [SIGINT, SIGTERM]
        let sources = numbers.map { number in
            _ = signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        unsafe self.sources = sources
        for (source, number) in zip(sources, numbers) {
            source.setEventHandler {
                Children.shared.endAll()
                _exit(
                    number == SIGINT ? ExitCode.interrupted.rawValue : ExitCode.terminated.rawValue)
            }
            source.resume()
        }
    }

    /// One that a signal came before is ended at once.
    func add(_ processID: Int32) {
        let isEnding = state.withLock { state in
            state.processIDs.insert(processID)
            return state.isEnding
        }
        if isEnding { Self.kill(processID) }
    }

    func remove(_ processID: Int32) { state.withLock { _ = $0.processIDs.remove(processID) } }
    func add(folder: String) { state.withLock { _ = $0.folders.insert(folder) } }
    func remove(folder: String) { state.withLock { _ = $0.folders.remove(folder) } }

    /// Has something done when a signal ends the bench, after its programs are gone.
    func atEnd(_ name: String, _ ending: @escaping @Sendable () -> Void) {
        state.withLock { $0.endings[name] = ending }
    }

    func forget(_ name: String) { state.withLock { _ = $0.endings.removeValue(forKey: name) } }

    /// Waits for the end of this process if a signal is about to bring it: what fails then is no
    /// result.
    func waitIfEnding() {
        while state.withLock({ $0.isEnding }) { usleep(10_000) }
    }

    /// Ends a program, with all that it started where it leads a group of its own.
    static func kill(_ processID: Int32) {
        let isLeader = getpgid(processID) == processID
        _ = Foundation.kill(isLeader ? -processID : processID, SIGKILL)
    }

    private func endAll() {
        let (folders, endings) = state.withLock { state in
            state.isEnding = true
            for processID in state.processIDs { Self.kill(processID) }
            return (state.folders, state.endings)
        }
        for ending in endings.values { ending() }
        // What the main thread was writing just now may come in between once.
        for folder in folders {
            for _ in 0..<10 where FileManager.default.fileExists(atPath: folder) {
                try? FileManager.default.removeItem(atPath: folder)
            }
        }
    }
}

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String
    private var count = 0

    init() throws {
        let name = "lockstep-bench-\(UUID().uuidString)"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw BenchError(.cannotWrite, "cannot make \(path): \(error.localizedDescription)")
        }
        Children.shared.add(folder: path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        Children.shared.remove(folder: path)
    }

    /// A path in the folder that nothing has yet.
    func freshPath(_ name: String) -> String {
        count += 1
        return "\(path)/\(name)-\(count)"
    }
}
