import CrashPoints

/// The checkpoints of a run's folder: `step-N/` with the shards and their manifest.
///
/// A checkpoint is put in place whole or not at all, and taken back only if every byte of it is as
/// it was written. `step-N` may hold the run's final weights, too; those are not touched.
package struct CheckpointStore: Sendable {
    /// The folder `checkpoints`.
    package let path: String
    /// How many are kept, the newest.
    package let keep: Int
    /// Made durable before a checkpoint that refers to a place in it.
    private let logPath: String?
    /// The run's folder, as it was when this store was made; nil where that does not matter.
    private let run: FolderIdentity?
    let disk: any Disk

    package static let defaultKeep = 2

    private static let stepPrefix = "step-"
    /// Of a folder that is being written.
    private static let temporaryPrefix = ".writing-"

    package init(
        path: String, keep: Int = defaultKeep, logPath: String? = nil, disk: any Disk = FileDisk()
    ) {
        self.init(path: path, keep: keep, logPath: logPath, run: nil, disk: disk)
    }

    init(
        path: String, keep: Int, logPath: String?, run: FolderIdentity?,
        disk: any Disk = FileDisk()
    ) {
        self.run = run
        precondition(keep >= 1, "at least one checkpoint is kept")
        self.path = path
        self.keep = keep
        self.logPath = logPath
        self.disk = disk
    }

    private func folder(_ step: Int) -> String { "\(path)/\(Self.stepPrefix)\(step)" }

    /// The steps whose folders hold a part of a checkpoint, the newest last.
    private func steps() throws(FileError) -> [Int] {
        try disk.names(in: path).compactMap { name -> Int? in
            guard name.hasPrefix(Self.stepPrefix) else { return nil }
            let text = name.dropFirst(Self.stepPrefix.count)
            // One folder a step: no other spelling of a number is ours.
            return Int(text).flatMap { $0 >= 0 && "\($0)" == text ? $0 : nil }
        }.sorted()
    }

    private func parts(_ step: Int) throws(FileError) -> [String] {
        do {
            return try disk.names(in: folder(step)).filter(CheckpointFiles.isPart)
        } catch {
            // A file of this name is none of ours.
            guard error.code == DiskCode.notAFolder else { throw error }
            return []
        }
    }

    // MARK: Writing

    /// Writes a checkpoint, makes it durable, and then removes those that are too many.
    ///
    /// - Parameter shards: how the flat vector is cut into files; one by default. Whoever reads it
    ///   gets whole vectors in any case.
    /// - Throws: ``FileError``. The checkpoints that were there are as they were, but for what an
    ///   earlier try left of the same step.
    package func write(_ checkpoint: Checkpoint, shards: [Range<Int>]? = nil) throws(FileError) {
        do {
            try writeFiles(checkpoint, shards)
        } catch {
            // That the folder is gone explains whatever went wrong in it.
            try checkPlace()
            throw error
        }
    }

    private func writeFiles(
        _ checkpoint: Checkpoint, _ shards: [Range<Int>]?
    ) throws(FileError) {
        let step = checkpoint.step
        let files = CheckpointFiles.encode(
            checkpoint, ranges: shards ?? [0..<checkpoint.weights.count])
        try checkPlace()
        // A run that continues and is interrupted at once has nothing new to write.
        if holds(checkpoint, files.last?.bytes) { return }
        CrashPoint.checkpointWriting.pass()
        try prepare()
        let temporary = "\(path)/\(Self.temporaryPrefix)\(step)"
        do {
            try disk.makeFolders(temporary)
            CrashPoint.checkpointFolderMade.pass()
            for file in files {
                try disk.writeFile("\(temporary)/\(file.name)", file.bytes)
                (file.name == CheckpointManifest.fileName
                    ? CrashPoint.checkpointManifestWritten : .checkpointShardWritten).pass()
            }
            try disk.synchronizeFolder(temporary)
            CrashPoint.checkpointFolderSynchronized.pass()
            try put(temporary, step, files.map(\.name))
            CrashPoint.checkpointRenamed.pass()
            try disk.synchronizeFolder(path)
            CrashPoint.checkpointDurable.pass()
        } catch {
            try? disk.removeFolderOfFiles(temporary)
            throw error
        }
        try checkPlace()
        try prune(newest: step)
    }

    /// Another folder may stand at the path by now, with another run's checkpoints.
    ///
    /// - Throws: ``FileError`` that ``FileError/isMoved``.
    package func checkPlace() throws(FileError) {
        guard let run else { return }
        let path = Files.parent(of: path)
        guard FolderIdentity(path) == run else {
            throw FileError(operation: .write, path: path, code: DiskCode.moved)
        }
    }

    /// Whether this checkpoint is there, whole.
    private func holds(_ checkpoint: Checkpoint, _ manifest: [UInt8]?) -> Bool {
        let step = checkpoint.step
        guard let found = try? disk.read("\(folder(step))/\(CheckpointManifest.fileName)"),
            found == manifest
        else { return false }
        return (try? read(step, matching: checkpoint.identity)) != nil
    }

    /// Clears what earlier tries left, and makes durable what the checkpoint builds on.
    private func prepare() throws(FileError) {
        try disk.makeFolders(path)
        for name in try disk.names(in: path) where name.hasPrefix(Self.temporaryPrefix) {
            try disk.removeFolderOfFiles("\(path)/\(name)")
        }
        if let logPath { try disk.open(logPath, .update).synchronize() }
        CrashPoint.checkpointLogSynchronized.pass()
        // The names of the folder, of the log beside it, and of the run.
        let run = Files.parent(of: path)
        try disk.synchronizeFolder(run)
        try disk.synchronizeFolder(Files.parent(of: run))
    }

    private func put(_ temporary: String, _ step: Int, _ names: [String]) throws(FileError) {
        let target = folder(step)
        do {
            return try disk.rename(temporary, to: target)
        } catch {
            guard error.code == DiskCode.notEmpty || error.code == DiskCode.exists else {
                throw error
            }
        }
        // The run's final weights are there, or an earlier checkpoint of the step. Without its
        // manifest that one counts no more, so that no crash can leave a mixture of both that looks
        // whole.
        try removeParts(step)
        for name in names {
            // The manifest is the last, and comes when all others are durable.
            if name == names.last { try disk.synchronizeFolder(target) }
            try disk.rename("\(temporary)/\(name)", to: "\(target)/\(name)")
        }
        try disk.synchronizeFolder(target)
        try disk.removeFolderOfFiles(temporary)
    }

    // MARK: Removing

    /// Removes all but the newest up to `newest`, which is whole, and what a later step's folder
    /// holds: a run that has gone back to an earlier checkpoint has refused that.
    private func prune(newest: Int) throws(FileError) {
        var kept = 0
        for step in try steps().reversed() where try !parts(step).isEmpty {
            if step <= newest, kept < keep {
                kept += 1
            } else {
                try remove(step)
            }
        }
    }

    /// Removes all training states; final weights stay.
    package func removeAll() throws(FileError) {
        try checkPlace()
        for name in try disk.names(in: path) where name.hasPrefix(Self.temporaryPrefix) {
            try disk.removeFolderOfFiles("\(path)/\(name)")
        }
        for step in try steps() {
            if try parts(step).isEmpty {
                // Empty where a crash came between the last file and the folder; others are not
                // ours.
                try? disk.removeFolder(folder(step))
            } else {
                try remove(step)
            }
        }
    }

    private func remove(_ step: Int) throws(FileError) {
        try removeParts(step)
        do {
            try disk.removeFolder(folder(step))
        } catch {
            // Final weights, or somebody's own files.
            guard error.code == DiskCode.notEmpty || error.code == DiskCode.exists else {
                throw error
            }
        }
        CrashPoint.oldCheckpointRemoved.pass()
    }

    /// The manifest first: without it the rest is not a checkpoint.
    private func removeParts(_ step: Int) throws(FileError) {
        let names = try parts(step)
        if names.contains(CheckpointManifest.fileName) {
            try disk.removeFile("\(folder(step))/\(CheckpointManifest.fileName)")
            CrashPoint.oldManifestRemoved.pass()
            try disk.synchronizeFolder(folder(step))
        }
        for name in names where name != CheckpointManifest.fileName {
            try disk.removeFile("\(folder(step))/\(name)")
            CrashPoint.oldShardRemoved.pass()
        }
    }

    // MARK: Reading

    /// The newest checkpoint that is whole and fits the run, and why newer ones are not used.
    ///
    /// - Parameter before: only those of earlier steps.
    /// - Throws: ``FileError`` where the folder itself cannot be read.
    package func newestWhole(
        matching identity: CheckpointIdentity, before bound: Int = .max
    ) throws(FileError) -> (checkpoint: Checkpoint?, refusals: [CheckpointRefusal]) {
        var refusals: [CheckpointRefusal] = []
        for step in try steps().reversed() where step < bound {
            // A folder with final weights only.
            guard try !parts(step).isEmpty else { continue }
            do {
                return (try read(step, matching: identity), refusals)
            } catch {
                refusals.append(CheckpointRefusal(path: folder(step), step: step, error))
            }
        }
        return (nil, refusals)
    }

    private func read(
        _ step: Int, matching identity: CheckpointIdentity
    ) throws(CheckpointFault) -> Checkpoint {
        try CheckpointFiles.decode(step: step, matching: identity) {
            name throws(CheckpointFault) in try part(name, step)
        }
    }

    private func part(_ name: String, _ step: Int) throws(CheckpointFault) -> [UInt8] {
        do throws(FileError) {
            return try disk.read("\(folder(step))/\(name)")
        } catch {
            throw error.code == DiskCode.missing
                ? .damaged("\(name) is missing") : .unreadable(error)
        }
    }
}

/// A checkpoint that is not used, and why.
package struct CheckpointRefusal: Equatable, Sendable, CustomStringConvertible {
    /// Its folder.
    package let path: String
    package let step: Int
    package let reason: String
    /// Whether it may be whole, and is not for this run or this program (exit code 78).
    package let isMismatch: Bool

    init(path: String, step: Int, _ fault: CheckpointFault) {
        self.path = path
        self.step = step
        switch fault {
        case .damaged(let reason):
            self.reason = reason
            isMismatch = false
        case .mismatch(let reason):
            self.reason = reason
            isMismatch = true
        case .unreadable(let error):
            reason = "\(error)"
            isMismatch = false
        }
    }

    package var description: String { "checkpoint \(path) is not used: \(reason)" }
}
