import CrashPoints
import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// At every point of its role one process of a cluster dies and is started again: the weights
    /// and the log are those of one process.
    ///
    /// Every fifth point is part of the tests. All of them are for `Scripts/chaos`
    /// (`LOCKSTEP_CHAOS=1`).
    @Suite struct DeathAtNamedPoints {
        private static let isLong = ProcessInfo.processInfo.environment["LOCKSTEP_CHAOS"] != nil
        /// Clusters at a time: after a worker's death the end of each waits for its lease.
        private static let width = 4

        /// By default those of `isLong`; or those that hold one of the words, with commas between.
        private static func isChosen(_ point: CrashPoint, _ index: Int) -> Bool {
            guard let only = ProcessInfo.processInfo.environment["LOCKSTEP_CHAOS_ONLY"] else {
                return isLong || index % 8 == 1
            }
            return only.split(separator: ",").contains { point.rawValue.contains($0) }
        }

        @Test func theSameWeights() throws {
            let stage = try Stage()
            var waiting = CrashPoint.allCases.enumerated()
                .filter { Self.isChosen($0.element, $0.offset) }
                .map { CrashAt($0.element) }[...]
            var running: [Cluster] = []
            var times: [(point: CrashPoint, seconds: Double)] = []
            while !waiting.isEmpty || !running.isEmpty {
                while running.count < Self.width, let next = waiting.popFirst() {
                    running.append(Cluster(next, stage))
                }
                running.removeAll { cluster in
                    do {
                        guard let seconds = try cluster.advance() else { return false }
                        times.append((cluster.crash.point, seconds))
                    } catch {
                        Issue.record("\(cluster.crash.point.rawValue): \(error)")
                    }
                    return true
                }
                usleep(5_000)
            }
            for role in ["coordinator", "server", "worker"] where Self.isLong {
                let own = times.filter { $0.point.role == role }.map(\.seconds).sorted()
                let texts = own.map { String(format: "%.2f s", $0) }
                print(
                    "chaos: crash points of the \(role): \(own.count), same weights and log; from the "
                        + "restart to the end median \(texts[own.count / 2]), longest \(texts.last ?? "")"
                )
            }
        }

        @Test(arguments: ["nowhere", "worker.pushed:0", "worker.pushed:x", "worker.pushed:1:1"])
        func mistakesAreNamed(text: String) throws {
            let run = try Lockstep().run(["--version"], [CrashPoint.variable: text])
            #expect(run.status == 64)
            for word in [text, "server.step-applied", ":N"] {
                #expect(run.standardError.contains(word), "\(run.standardError)")
            }
        }
    }
}

/// Where a process dies, and what has to happen before it comes there.
private struct CrashAt {
    let point: CrashPoint
    /// The how-manieth time it passes.
    var pass = 1
    /// A process of that point's role has died there before, and was started again; it may be the
    /// same one.
    var earlier: (point: CrashPoint, pass: Int)?
    /// A worker leaves in the middle of the run.
    var afterFarewell = false

    init(_ point: CrashPoint) {
        self.point = point
        switch point {
        // A run that continues from a checkpoint.
        case .logCutting, .logCut, .statePartSent, .stateAsked, .statePartStored, .stateAdopting,
            .stateAdopted:
            earlier = (.checkpointDurable, 1)
        // One that begins again without any.
        case .statesRemoved, .logEmptied: earlier = (.runRecorded, 1)
        case .serverLost, .generationBegun: earlier = (.stepApplied, 200)
        case .membersLate, .viewChanged, .workerViewChanged, .weightsAsked: earlier = (.pushed, 300)
        case .memberLeft: afterFarewell = true
        // In the middle of the run.
        case .stepRecorded, .reportKept, .stepPosted, .stepFolding, .stepComputed, .stepApplied,
            .reportSent, .pushKept, .nodeComputing, .gradientComputed, .nodeComputed,
            .weightsAdopting,
            .weightsAdopted:
            pass = 200
        // Between one shard and the other.
        case .pushing, .pushed, .weightsKept, .weightsSending, .weightsSent: pass = 301
        case .blockFolded, .blockUpdated: pass = 5_001
        case .evaluating, .epochRecorded, .evaluated: pass = 3
        default: break
        }
    }

    var text: String { "\(point.rawValue):\(pass)" }
}

/// What all clusters have in common, and what their runs end with.
private struct Stage {
    static let training = [
        "--preset", "mse-tanh", "--batch-size", "20", "--micro-batch", "5", "--epochs", "12",
    ]

    let lockstep: Lockstep
    let weights: String
    let lines: [String]
    let names: Set<String>

    init() throws {
        lockstep = try Lockstep()
        let directory = lockstep.folder.path("whole")
        let run = try lockstep.run(
            ["train", "--workers", "0", "--json", "--run-dir", directory] + Self.training)
        weights = try run.end().weightsSHA256
        lines = try logLines(directory)
        names = try Set(FileManager.default.subpathsOfDirectory(atPath: directory))
    }
}

/// A coordinator, two servers and two workers, one of which dies.
private final class Cluster {
    private enum Phase {
        case starting
        /// For a process to die at a point.
        case waiting(CrashPoint)
        case ending
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let crash: CrashAt
    private let stage: Stage
    private let directory: String
    private let commands: [String: [String]]
    private var processes: [String: RunningTool] = [:]
    private var phase = Phase.starting
    private var hasLeft = false
    /// The run was over when the victim died: nobody continues with what is left in its folder.
    private var hadEnded = false
    private var since = Date()

    init(_ crash: CrashAt, _ stage: Stage) {
        self.crash = crash
        self.stage = stage
        directory = stage.lockstep.folder.path(crash.point.rawValue)
        let port = likelyFreePort(count: 3)
        let address = "tcp://127.0.0.1:\(port)"
        var commands = [
            "coordinator": [
                "coordinator", "--bind", address, "--workers", "2", "--min-workers", "1",
                "--servers", "2", "--servers-apart", "--checkpoint-seconds", "0.05", "--json",
                "--run-dir", directory,
            ] + Stage.training
        ]
        for index in 1...2 {
            commands["server \(index)"] = [
                "server", "--coordinator", address, "--bind", "tcp://127.0.0.1:\(port + index)",
            ]
            commands["worker \(index)"] = ["worker", "--coordinator", address]
        }
        self.commands = commands
    }

    private func start(_ name: String, _ death: String? = nil) throws {
        var lockstep = stage.lockstep
        lockstep.environment[CrashPoint.variable] = death
        if name.hasPrefix("worker") {
            // It has to get the data set from the coordinator.
            lockstep.environment["LOCKSTEP_DATA"] = nil
            lockstep.environment["XDG_CACHE_HOME"] = "\(directory)-\(name)"
        }
        processes[name] = try lockstep.start(commands[name] ?? [])
    }

    /// The process of a point's role that dies there.
    private static func name(_ point: CrashPoint) -> String {
        point.role == "coordinator" ? "coordinator" : "\(point.role) 1"
    }

    private var victim: String { Self.name(crash.point) }

    /// Does what there is to be done now; waits for nothing.
    ///
    /// - Returns: how long the cluster continued after the restart, in seconds, once it has ended.
    func advance() throws -> Double? {
        switch phase {
        case .starting:
            var deaths = [victim: crash.text]
            if let (point, pass) = crash.earlier {
                deaths[Self.name(point)] = "\(point.rawValue):\(pass)"
            }
            for name in commands.keys.sorted() { try start(name, deaths[name]) }
            go(to: .waiting(crash.earlier?.point ?? crash.point))
        case .waiting(let point):
            let name = Self.name(point)
            if crash.afterFarewell, !hasLeft, processes["coordinator"]?.epochCount ?? 0 > 0 {
                hasLeft = true
                processes["worker 2"]?.send(SIGTERM)
            }
            guard let run = try endOf(name) else { return nil }
            guard run.status == -1, run.standardError.contains("dies at \(point.rawValue)") else {
                throw failure("\(name) has not passed \(point.rawValue): exit code \(run.status)")
            }
            if point == crash.earlier?.point {
                try start(name, name == victim ? crash.text : nil)
                go(to: .waiting(crash.point))
            } else {
                hadEnded = (try? logLines(directory))?.last?.contains(#""event":"end""#) ?? false
                try start(victim)
                if hasLeft { try start("worker 2") }
                go(to: .ending)
            }
        case .ending:
            guard let run = try endOf("coordinator") else { return nil }
            guard run.status == 0 else { throw failure("exit code \(run.status)") }
            guard try run.end().weightsSHA256 == stage.weights else {
                throw failure("other weights")
            }
            guard try logLines(directory) == stage.lines else { throw failure("another log") }
            let names = try Set(FileManager.default.subpathsOfDirectory(atPath: directory))
            guard names == stage.names || hadEnded else {
                throw failure("other files: \(names.symmetricDifference(stage.names).sorted())")
            }
            return Date().timeIntervalSince(since)
        }
        return nil
    }

    private func go(to phase: Phase) {
        self.phase = phase
        since = Date()
    }

    /// How a process has ended; nil while it may still do so.
    private func endOf(_ name: String) throws -> ToolRun? {
        guard let process = processes[name] else { return nil }
        if !process.isRunning { return process.end() }
        if Date().timeIntervalSince(since) > patienceSeconds {
            throw failure("\(name) does not end")
        }
        return nil
    }

    private func failure(_ text: String) -> Failure {
        let texts = processes.keys.sorted().map {
            "\($0): \(processes[$0]?.standardError.suffix(1_000) ?? "")"
        }
        return Failure(description: ([text] + texts).joined(separator: "\n"))
    }
}
