package import TrainingPlan

/// Coordinator → a person's command: what the cluster is at.
package struct ClusterOverview: Hashable, Sendable {
    package enum Stage: UInt8, CaseIterable, Sendable {
        case gathering, preparing, training, waitingForWorkers, waitingForServers, ending
    }

    package var stage: Stage
    package var runCount: Int
    /// Nil between runs.
    package var run: RunOverview?
    /// In the order in which they came.
    package var members: [MemberOverview]
    package var dataset: DatasetDescription
    /// Data ports: the coordinator's own, then those of the servers.
    package var dataEndpoints: [String]
    /// For whoever compares hosts.
    package var host = HostOverview()

    package init(
        stage: Stage, runCount: Int, run: RunOverview?, members: [MemberOverview],
        dataset: DatasetDescription, dataEndpoints: [String]
    ) {
        self.stage = stage
        self.runCount = runCount
        self.run = run
        self.members = members
        self.dataset = dataset
        self.dataEndpoints = dataEndpoints
    }
}

/// The coordinator's host and program, as they say of themselves.
package struct HostOverview: Hashable, Sendable {
    package var release = ""
    package var arithmeticVersion = 0
    /// Since 1970, in milliseconds, when this was sent.
    package var clockMilliseconds: UInt64 = 0

    package init() {}
}

/// The run in progress.
package struct RunOverview: Hashable, Sendable {
    package var index: RunIndex
    package var configuration: RunConfiguration
    package var generation: Generation
    package var view: ViewNumber
    /// The steps that every shard has committed, and how many there are.
    package var step: Step
    package var totalSteps: Int
    /// The step that a lost server's run continues from.
    package var checkpoint: Step

    package init(
        index: RunIndex, configuration: RunConfiguration, generation: Generation,
        view: ViewNumber, step: Step, totalSteps: Int, checkpoint: Step
    ) {
        self.index = index
        self.configuration = configuration
        self.generation = generation
        self.view = view
        self.step = step
        self.totalSteps = totalSteps
        self.checkpoint = checkpoint
    }
}

/// One member, as the coordinator knows it.
package struct MemberOverview: Hashable, Sendable {
    package var name: MemberName
    package var threads: Int
    package var phase: MemberPhase
    package var silentMilliseconds: Int
    /// Of a full step, under the current view.
    package var leafCount: Int
    /// Its leaves were given to others because they did not come in time.
    package var isLate: Bool

    package init(
        name: MemberName, threads: Int, phase: MemberPhase, silentMilliseconds: Int,
        leafCount: Int, isLate: Bool
    ) {
        self.name = name
        self.threads = threads
        self.phase = phase
        self.silentMilliseconds = silentMilliseconds
        self.leafCount = leafCount
        self.isLate = isLate
    }
}

/// Coordinator → a person's command: what became of a request to change the number of workers.
package struct ScaleReply: Hashable, Sendable {
    /// `success`, with what is done about it, or why nothing is.
    package var reason: StopReason

    package init(_ reason: StopReason) { self.reason = reason }
}

extension ClusterOverview: Statement {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(stage.rawValue)
        writer.write(runCount)
        writer.write(run) { writer, run in
            writer.write(run.index.rawValue)
            writer.write(run.configuration)
            writer.write(run.generation.rawValue)
            writer.write(run.view.rawValue)
            writer.write(run.step.rawValue)
            writer.write(run.totalSteps)
            writer.write(run.checkpoint.rawValue)
        }
        writer.write(list: members) { writer, member in
            writer.write(member.name.role.rawValue)
            writer.write(member.name.incarnation.rawValue)
            writer.write(String(member.name.host.prefix(Self.longestHost)))
            writer.write(member.name.processID)
            writer.write(member.threads)
            writer.write(member.phase)
            writer.write(member.silentMilliseconds)
            writer.write(member.leafCount)
            writer.write(member.isLate)
        }
        writer.write(dataset)
        writer.write(list: Array(dataEndpoints.prefix(Self.maximumEndpoints))) { $0.write($1) }
        writer.write(host.release)
        writer.write(host.arithmeticVersion)
        writer.write(host.clockMilliseconds)
        return writer.bytes
    }

    /// Characters of a host's name, so that all members fit into one statement.
    private static let longestHost = 63
    /// Of data endpoints, for the same reason.
    private static let maximumEndpoints = 64

    package init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = unsafe ByteReader(bytes)
        do throws(ByteReader.Failure) {
            stage = try reader.readCase()
            runCount = try reader.readInt()
            run = try reader.readOptional { (reader) throws(ByteReader.Failure) in
                try reader.readRunOverview()
            }
            members = try reader.readList(
                atMost: Limits.maximumWorkers + SettingLimits.maximumServers
            ) { (reader) throws(ByteReader.Failure) in try reader.readMemberOverview() }
            dataset = try reader.readDataset()
            dataEndpoints = try reader.readList(atMost: Self.maximumEndpoints) {
                (reader) throws(ByteReader.Failure) in try reader.readEndpoint()
            }
            host.release = try reader.readText(maximumByteCount: Limits.maximumHostByteCount)
            host.arithmeticVersion = try reader.readInt()
            host.clockMilliseconds = try reader.read()
        } catch {
            return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

extension ByteReader {
    fileprivate mutating func readRunOverview() throws(Failure) -> RunOverview {
        RunOverview(
            index: RunIndex(rawValue: try read()), configuration: try readConfiguration(),
            generation: Generation(rawValue: try read()), view: ViewNumber(rawValue: try read()),
            step: try readStep(), totalSteps: try readInt(), checkpoint: try readStep())
    }

    fileprivate mutating func readMemberOverview() throws(Failure) -> MemberOverview {
        MemberOverview(
            name: MemberName(
                role: try readCase(), incarnation: Incarnation(rawValue: try read()),
                host: try readText(maximumByteCount: Limits.maximumHostByteCount),
                processID: try read()), threads: try readInt(), phase: try readPhase(),
            silentMilliseconds: try readInt(), leafCount: try readInt(), isLate: try readBool())
    }
}

extension ScaleReply: Statement {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(reason)
        return writer.bytes
    }

    package init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = unsafe ByteReader(bytes)
        guard let reason = try? reader.readReason(), reader.isAtEnd else { return nil }
        self.reason = reason
    }
}

extension ClusterOverview.Stage: CustomStringConvertible {
    package var description: String {
        switch self {
        case .gathering: "waiting for members"
        case .preparing: "preparing the run"
        case .training: "training"
        case .waitingForWorkers: "waiting for workers"
        case .waitingForServers: "waiting for a server"
        case .ending: "ending"
        }
    }
}
