import ArgumentParser
import Foundation
import LockstepProtocol
import LockstepRuntime
import TerminalText
import TrainingPlan

/// `lockstep status`
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what a running cluster is at.",
        discussion: """
            Examples:
              lockstep status
              lockstep status --coordinator tcp://10.0.0.5:29500 --watch
              lockstep status --json
            """)

    @Option(help: ArgumentHelp("Where the coordinator listens.", valueName: "endpoint"))
    var coordinator = "tcp://127.0.0.1:29500"

    @Flag(help: "Show it again and again, until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("With --watch: how often.", valueName: "seconds"))
    var every = 1.0

    @Flag(help: "Print one object of JSON.")
    var json = false

    @OptionGroup var waiting: AnswerOptions

    @OptionGroup var keyOptions: KeyOptions

    func validate() throws {
        guard every > 0 else { throw ValidationError("--every \(every): give seconds above 0.") }
    }

    func run() throws {
        let client = try OperatorClient.make(coordinator, keyOptions, waiting)
        var before = try client.overview()
        var beforeAt = Date()
        repeat {
            // The rate is what comes about while one waits.
            Thread.sleep(forTimeInterval: watch ? every : Self.measuringSeconds)
            let overview = try client.overview()
            let now = Date()
            let report = ClusterReport(
                overview, since: before, seconds: now.timeIntervalSince(beforeAt))
            if watch, !json, isatty(STDOUT_FILENO) == 1 {
                print("\u{1b}[2J\u{1b}[H", terminator: "")
            }
            print(json ? report.json : report.text)
            try StandardStreams.flushOutput()
            (before, beforeAt) = (overview, now)
        } while watch
    }

    private static let measuringSeconds = 0.4
}

/// `lockstep scale`
struct ScaleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Start or retire workers of a local cluster while it trains.",
        discussion: """
            For a cluster that one command has started: train, compare or sweep with --workers. \
            The weights do not depend on it. Its address is in the line “listening on” of that \
            command.

            Examples:
              lockstep scale --coordinator ipc:///tmp/.lockstep-sockets-a1b2c3/coordinator --workers 4
            """)

    @Option(help: ArgumentHelp("Where the coordinator listens.", valueName: "endpoint"))
    var coordinator = "tcp://127.0.0.1:29500"

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many there are to be.", valueName: "n"))
    var workers: UInt32

    @OptionGroup var waiting: AnswerOptions

    @OptionGroup var keyOptions: KeyOptions

    func run() throws {
        let client = try OperatorClient.make(coordinator, keyOptions, waiting)
        let reply = try client.scale(toWorkers: workers)
        guard reply.reason.exitCode == .success else { throw CommandEnd(reason: reply.reason) }
        print(reply.reason.text)
    }
}

/// How long a person waits for a coordinator.
struct AnswerOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The longest wait for an answer.", valueName: "seconds"))
    var waitTimeout = 5.0

    func validate() throws {
        guard waitTimeout > 0, waitTimeout <= Settings.maximumWaitTimeoutSeconds else {
            throw ValidationError(
                "--wait-timeout \(waitTimeout): give seconds above 0, for example 10.")
        }
    }
}

extension OperatorClient {
    fileprivate static func make(
        _ coordinator: String, _ options: KeyOptions, _ waiting: AnswerOptions
    ) throws -> OperatorClient {
        let (endpoint, key) = try coordinatorEndpoint(coordinator, options, makesOwn: false)
        return try OperatorClient(
            endpoint, waitTimeoutMilliseconds: Int(waiting.waitTimeout * 1_000), key: key)
    }
}

/// An overview as text and as JSON.
private struct ClusterReport {
    private let overview: ClusterOverview
    private let examplesPerSecond: Double?

    init(_ overview: ClusterOverview, since before: ClusterOverview, seconds: Double) {
        self.overview = overview
        if let run = overview.run, let earlier = before.run, run.index == earlier.index,
            run.step >= earlier.step
        {
            let steps = Double(run.step.index - earlier.step.index)
            examplesPerSecond = steps * Double(run.configuration.batchSize) / seconds
        } else {
            examplesPerSecond = nil
        }
    }

    var text: String {
        var lines: [String] = []
        if let run = overview.run {
            lines.append(
                "run \(run.index.index + 1) of \(overview.runCount), \(run.configuration.name), "
                    + "\(overview.stage)")
            let rate = examplesPerSecond.map { String(format: ", %.0f examples/s", $0) } ?? ""
            lines.append(
                "step \(run.step) of \(run.totalSteps)\(rate); generation \(run.generation), view "
                    + "\(run.view), checkpoint at step \(run.checkpoint)")
        } else {
            let count = overview.runCount
            lines.append("\(overview.stage); \(count) run\(count == 1 ? "" : "s") to train")
        }
        let rows = overview.members.map(row)
        let header = ["member", "host", "process", "threads", "leaves", "heard", "what it does"]
        lines.append(TextTable(words: [header] + rows).text())
        return lines.joined(separator: "\n")
    }

    private func row(_ member: MemberOverview) -> [String] {
        [
            "\(member.name.role.rawValue) \(member.name.incarnation)", member.name.host,
            "\(member.name.processID)", "\(member.threads)",
            member.name.role == .worker ? "\(member.leafCount)" : "",
            String(format: "%.1f s ago", Double(member.silentMilliseconds) / 1_000),
            (member.isLate ? "slow: " : "") + "\(member.phase)",
        ]
    }

    var json: String {
        var object: [String: Any] = [
            "stage": "\(overview.stage)", "runs": overview.runCount,
            "members": overview.members.map { member -> [String: Any] in
                [
                    "role": member.name.role.rawValue,
                    "incarnation": Int(member.name.incarnation.rawValue),
                    "host": member.name.host, "process": Int(member.name.processID),
                    "threads": member.threads, "leaves": member.leafCount,
                    "silent_seconds": Double(member.silentMilliseconds) / 1_000,
                    "late": member.isLate, "phase": "\(member.phase)",
                ]
            },
        ]
        if let run = overview.run {
            object["run"] = run.index.index
            object["configuration"] = run.configuration.name
            object["step"] = run.step.index
            object["steps"] = run.totalSteps
            object["generation"] = Int(run.generation.rawValue)
            object["view"] = Int(run.view.rawValue)
            object["checkpoint_step"] = run.checkpoint.index
        }
        if let examplesPerSecond { object["examples_per_second"] = examplesPerSecond.rounded() }
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
