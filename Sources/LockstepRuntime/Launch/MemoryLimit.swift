import Foundation
package import TrainingPlan

/// The address space that this process may use, where it is limited (`ulimit -v` and `-d`).
///
/// Memory that is refused ends a process at once: Swift knows no allocation that fails. So what a
/// command takes is estimated, from above, before it is needed.
package enum MemoryLimit {
    struct Room {
        /// What may be added to what is in use.
        var byteCount: Int
        /// Which limit it is, and how large.
        var limit: String
    }

    package static var isLimited: Bool { room != nil }

    /// What the tightest limit leaves; nil where there is none.
    static var room: Room? {
        let status = SystemFile.text("/proc/self/status") ?? ""
        func used(_ name: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
            return
                (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
                ?? 0) << 10
        }
        return [
            ("the address space", "RLIMIT_AS, ulimit -v", RLIMIT_AS, "VmSize:"),
            ("the data of a process", "RLIMIT_DATA, ulimit -d", RLIMIT_DATA, "VmData:"),
        ].compactMap { what, name, resource, use -> Room? in
            var limit = rlimit()
            guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
                limit.rlim_cur < rlim_t(Int.max)
            else { return nil }
            return Room(
                byteCount: Int(limit.rlim_cur) - used(use),
                limit: "\(what) is limited to \(limit.rlim_cur >> 20) MB (\(name))")
        }.min { $0.byteCount < $1.byteCount }
    }

    /// Makes sure that so many bytes more can be had.
    package static func reserve(_ byteCount: Int) throws(SystemLimitError) {
        guard let room, room.byteCount < byteCount else { return }
        throw SystemLimitError(
            description:
                "\(room.limit), \(max(room.byteCount, 0) >> 20) MB of it are left and "
                + "\((byteCount >> 20) + 1) MB are needed; raise it, or choose fewer --threads, a smaller "
                + "network or a smaller data set")
    }

    /// Makes sure that a process has room for a run beside the threads that it has.
    static func reserve(for configuration: RunConfiguration) throws(SystemLimitError) {
        try reserve(trainingByteCount(configuration, threads: 0))
    }

    /// What any command takes beside its data.
    package static let baseByteCount = 48 << 20

    /// What a data set of so many bytes takes, with the form that is trained on.
    package static func datasetByteCount(payload byteCount: Int) -> Int { 4 * byteCount }

    /// What a process takes that trains a run, serves a shard of it or records it.
    package static func trainingByteCount(_ configuration: RunConfiguration, threads: Int) -> Int {
        let layers = configuration.architecture.layers
        let widest = layers.max() ?? 0
        let leaf = configuration.effectiveMicroBatch
        let examples = max(leaf, min(configuration.batchSize, examplesPerPass))
        let leaves = examples / leaf + 1
        let ofThread = ThreadLimit.stackByteCount + 4 * 4 * (leaves + rowsPerTask) * widest
        return configuration.layout.parameterCount * 4 * vectorCount
            + examples * layers.reduce(0, +) * 4 * 4
            + (threads + ThreadLimit.ownThreads) * ofThread
    }

    /// Vectors of the model's length: weights, state, gradients on each level of the tree, what is
    /// sent, what a checkpoint copies and encodes.
    private static let vectorCount = 40
    private static let examplesPerPass = 512
    private static let rowsPerTask = 64
}
