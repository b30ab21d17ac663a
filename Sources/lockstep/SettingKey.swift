import TrainingPlan

/// A setting's name: the same word as a flag, in the environment and in a file.
struct SettingKey: Hashable, Sendable {
    /// As in a file, `batch_size` for instance.
    let name: String

    var flag: String { "--\(name.replacing("_", with: "-"))" }

    var environmentVariable: String { "LOCKSTEP_" + name.uppercased() }

    init(_ name: String) { self.name = name }

    init(_ key: RunConfiguration.Key) { self.init(key.rawValue) }

    static let workers = SettingKey("workers")
    static let minWorkers = SettingKey("min_workers")
    static let maxWorkers = SettingKey("max_workers")
    static let threads = SettingKey("threads")
    static let servers = SettingKey("servers")
    static let data = SettingKey("data")
    static let waitTimeout = SettingKey("wait_timeout")
    static let checkpointSeconds = SettingKey("checkpoint_seconds")
    static let keepCheckpoints = SettingKey("keep_checkpoints")
    static let logEvery = SettingKey("log_every")
    static let auditRate = SettingKey("audit_rate")
    static let seeds = SettingKey("seeds")

    /// All that a file may hold, in the order in which a person reads them.
    static let all =
        RunConfiguration.Key.allCases.map { SettingKey($0) } + [
            seeds, workers, minWorkers, maxWorkers, threads, servers, data, waitTimeout,
            checkpointSeconds, keepCheckpoints, logEvery, auditRate,
        ]

    /// The settings that each configuration of a comparison has by its name, or that it varies.
    static let varied: Set<SettingKey> = Set(
        [
            .preset, .hiddenActivation, .outputActivation, .loss, .targets, .decode, .seed,
        ].map { SettingKey($0) })

    /// The settings that had another name once, by that name.
    static let renamed: [String: SettingKey] = Dictionary(
        uniqueKeysWithValues: [
            RunConfiguration.Key.preset, .hiddenActivation, .outputActivation,
        ].map { ($0.firstName, SettingKey($0)) })
}

/// A value as it was given, and where.
struct GivenValue: Hashable, Sendable {
    enum Source: Hashable, Sendable {
        case flag, environment
        /// Lines count from 1.
        case file(path: String, line: Int)
        /// Of a sweep.
        case grid
    }

    let key: SettingKey
    let text: String
    let source: Source

    var isFromFile: Bool { if case .file = source { true } else { false } }

    /// What the person wrote, for a message.
    var place: String {
        switch source {
        case .flag: "\(key.flag) \(text)"
        case .environment: "\(key.environmentVariable)=\(text)"
        case .file(let path, let line): "\(path), line \(line), \(key.name): \(text)"
        case .grid: "\(key.name)=\(text)"
        }
    }

    /// Where, without the value.
    var origin: String {
        switch source {
        case .flag: key.flag
        case .environment: key.environmentVariable
        case .file(let path, let line): "\(path), line \(line)"
        case .grid: "the grid"
        }
    }
}
