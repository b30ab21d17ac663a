import Datasets
import Glibc
import LockstepProtocol
package import RunRecords
import TrainingPlan

/// A session's timeline in the JSON that Perfetto and chrome://tracing open: the object form of the
/// "Trace Event Format", with complete events (`ph` "X") and the names of processes and threads
/// (`ph` "M"); times in microseconds since the session's start.
package struct TraceFile {
    private let request: SessionRequest
    private let store: TraceStore
    private var text = TraceText()
    private var tracks: [Track: Place] = [:]
    private var processes: [Process: Int] = [:]
    /// By process that they live in, perhaps with a server.
    private var workers: [Process: MemberName] = [:]
    /// By track: where its last span of a foreign clock ends, in nanoseconds since the start.
    private var ends: [Int: Int64] = [:]

    private struct Process: Hashable {
        let host: String
        let processID: Int32
    }

    /// A row of the picture.
    private struct Track: Hashable {
        let source: TraceStore.Source
        /// A server's.
        let shard: ShardIndex?
        let isBeside: Bool
    }

    private struct Place {
        let process: Int
        let thread: Int
    }

    /// Process numbers of the system are below; those above stand for processes of other hosts
    /// whose numbers are taken.
    private static let firstOwnNumber = 1 << 22
    private static let chunkByteCount = 1 << 20

    /// Writes what has come, and replaces what is there.
    package static func write(
        _ store: TraceStore, of request: SessionRequest, to path: String
    ) throws(FileError) {
        var file = TraceFile(request: request, store: store)
        var replacement = try FileReplacement(path)
        try file.write(to: replacement)
        try replacement.putInPlace()
    }

    private init(request: SessionRequest, store: TraceStore) {
        self.request = request
        self.store = store
    }

    private mutating func write(to file: borrowing FileReplacement) throws(FileError) {
        let contents = store.snapshot
        noteWorkers(contents)
        text.append("{\"displayTimeUnit\":\"ns\",\"otherData\":{")
        describe(contents)
        text.append("},\"traceEvents\":[\n")
        for (thread, event) in contents.events {
            add(event, .here(thread), offset: 0, isForeign: false)
        }
        for batch in contents.batches {
            let offset =
                batch.clock.flatMap { contents.clocks[$0]?.offset(at: batch.received) } ?? 0
            unsafe batch.payload.withUnsafeBytes { payload in
                for index in 0..<batch.eventCount {
                    if let event = unsafe TraceEvent(payload, at: index) {
                        add(event, batch.source, offset: offset, isForeign: batch.clock != nil)
                    }
                }
            }
            if text.bytes.count >= Self.chunkByteCount {
                try file.append(text.bytes)
                text.removeAll()
            }
        }
        // Without a comma behind.
        text.append("{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":")
        text.append(number(of: Process(host: hostName, processID: getpid())))
        text.append(",\"args\":{\"name\":")
        text.appendQuoted("\(localName) (host \(hostName))")
        text.append("}}\n]}\n")
        try file.append(text.bytes)
    }

    private var localName: String {
        request.placement.workers == 0 ? "trainer" : "coordinator"
    }

    /// What was trained on what.
    private mutating func describe(_ contents: TraceStore.Contents) {
        func add(_ name: String, _ value: String) {
            text.appendQuoted(name)
            text.append(":")
            text.appendQuoted(value)
            text.append(",")
        }
        add("lockstep", lockstepVersion)
        add("dataset", request.dataset.name)
        add("dataset_sha256", "\(request.dataset.sha256)")
        for (index, run) in request.runs.enumerated() {
            add(
                "run \(index + 1)",
                "\(run.configuration.name), seed \(run.configuration.seed), configuration_sha256 "
                    + run.configuration.sha256(dataset: request.dataset))
        }
        text.append("\"omitted_spans\":")
        text.append(contents.omittedCount)
    }

    // MARK: Spans

    private mutating func add(
        _ event: TraceEvent, _ source: TraceStore.Source, offset: Int64, isForeign: Bool
    ) {
        let place = place(source, event.shard, isBeside: event.isBeside)
        var start = Int64(bitPattern: event.start &+ UInt64(bitPattern: offset) &- store.start)
        let end = start &+ Int64(clamping: event.duration)
        // Another estimate of the same clock may be some microseconds off the one before.
        if isForeign, let last = ends[place.thread], start < last { start = last }
        if isForeign { ends[place.thread] = max(start, end) }
        text.append("{\"name\":\"")
        text.append(event.kind.name)
        text.append("\",\"ph\":\"X\",\"ts\":")
        text.appendMicroseconds(start)
        text.append(",\"dur\":")
        text.appendMicroseconds(end > start ? end &- start : 0)
        text.append(",\"pid\":")
        text.append(place.process)
        text.append(",\"tid\":")
        text.append(place.thread)
        text.append(",\"args\":{\"run\":")
        text.append(Int(event.run.rawValue) + 1)
        text.append(",\"step\":")
        text.append(Int(clamping: event.step))
        if let shard = event.shard {
            text.append(",\"shard\":")
            text.append(shard.index)
        }
        switch event.kind {
        case .fold, .update: text.append(",\"interleaved\":true")
        case .compute, .push, .wait, .adopt, .broadcast, .evaluate, .checkpoint: break
        }
        text.append("}},\n")
    }

    // MARK: Rows

    private mutating func place(
        _ source: TraceStore.Source, _ shard: ShardIndex?, isBeside: Bool
    ) -> Place {
        var isServer = false
        if case .member(let name) = source { isServer = name.role == .server }
        let track = Track(source: source, shard: isServer ? shard : nil, isBeside: isBeside)
        if let place = tracks[track] { return place }
        let place = Place(process: process(of: track), thread: tracks.count + 1)
        tracks[track] = place
        name("thread_name", place, Self.name(track))
        return place
    }

    private mutating func noteWorkers(_ contents: TraceStore.Contents) {
        for batch in contents.batches {
            guard case .member(let name) = batch.source, name.role == .worker else { continue }
            let process = Process(host: name.host, processID: name.processID)
            workers[process] = workers[process] ?? name
        }
    }

    private mutating func process(of track: Track) -> Int {
        guard case .member(let member) = track.source else {
            return number(of: Process(host: hostName, processID: getpid()))
        }
        let process = Process(host: member.host, processID: member.processID)
        let isNew = processes[process] == nil
        let number = number(of: process)
        if isNew, process != Process(host: hostName, processID: getpid()) {
            let name = workers[process].map { "worker \($0.incarnation)" } ?? Self.name(track)
            self.name(
                "process_name", Place(process: number, thread: 0), "\(name) (host \(member.host))")
        }
        return number
    }

    /// That of the system, where no other host's process has it.
    private mutating func number(of process: Process) -> Int {
        if let number = processes[process] { return number }
        let isTaken = processes.values.contains(Int(process.processID))
        let number = isTaken ? Self.firstOwnNumber + processes.count : Int(process.processID)
        processes[process] = number
        return number
    }

    private static func name(_ track: Track) -> String {
        let beside = track.isBeside ? ", beside its loop" : ""
        switch track.source {
        case .here(let thread): return thread.rawValue
        case .member(let member):
            switch member.role {
            case .worker: return "worker \(member.incarnation)\(beside)"
            case .server:
                let shard = track.shard.map { "server of shard \($0)" } ?? "server"
                return "\(shard)\(beside)"
            }
        }
    }

    private mutating func name(_ kind: StaticString, _ place: Place, _ name: String) {
        text.append("{\"name\":\"")
        text.append(kind)
        text.append("\",\"ph\":\"M\",\"pid\":")
        text.append(place.process)
        if place.thread > 0 {
            text.append(",\"tid\":")
            text.append(place.thread)
        }
        text.append(",\"args\":{\"name\":")
        text.appendQuoted(name)
        text.append("}},\n")
    }
}
