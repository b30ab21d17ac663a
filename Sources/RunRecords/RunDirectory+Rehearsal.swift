import Foundation
import Synchronization

extension RunDirectory {
    /// Does once what the run will do to keep its records, so that it fails before anything was
    /// trained if it has to fail: writes a file as large as the weights (a hole), makes it durable,
    /// and puts it in place. Leaves nothing.
    ///
    /// A disk that is full is no reason not to begin: a run continues while one is, see
    /// ``MetricsLog``.
    ///
    /// - Returns: sentences for a person: what the file system does not offer, and what follows.
    /// - Throws: ``FileError``.
    package func rehearse(byteCount: Int) throws(FileError) -> [String] {
        Files.refusedSynchronization.store(false, ordering: .relaxed)
        // What one has left that was killed.
        clearRehearsal()
        defer { clearRehearsal() }
        do throws(FileError) {
            try writeRehearsal(byteCount: byteCount)
        } catch {
            if error.code == ENOSPC || error.code == EDQUOT { return [] }
            throw error
        }
        guard Files.refusedSynchronization.load(ordering: .relaxed) else { return [] }
        return [
            "\(path) is on a file system that does not say when files and folders are durable: a "
                + "power cut may cost more than the newest checkpoint"
        ]
    }

    private var rehearsalPath: String { checkpointsPath + "/.rehearsal" }

    private func writeRehearsal(byteCount: Int) throws(FileError) {
        let disk = FileDisk()
        let weights = rehearsalPath + "/" + Self.weightsName
        try disk.makeFolders(rehearsalPath)
        let file = try disk.open(weights + ".new", .replace)
        try file.truncate(to: max(byteCount, 1))
        _ = try file.write([0], at: 0)
        try file.synchronize()
        try disk.rename(weights + ".new", to: weights)
        for folder in [rehearsalPath, checkpointsPath, path, Files.parent(of: path)] {
            try disk.synchronizeFolder(folder)
        }
    }

    private func clearRehearsal() {
        let weights = rehearsalPath + "/" + Self.weightsName
        unsafe unlink(weights)
        unsafe unlink(weights + ".new")
        unsafe rmdir(rehearsalPath)
    }
}
