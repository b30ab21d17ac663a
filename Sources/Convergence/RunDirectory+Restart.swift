import Foundation

extension RunDirectory {
    /// Opens a place as ``open(_:configuration:seed:configurationSHA256:)`` does, but begins the same run
    /// again where it was left unfinished: what there is of it is removed first.
    ///
    /// The folder is moved aside before it is emptied, so that a crash leaves it whole or gone.
    ///
    /// - Throws: also ``RunDirectoryError`` where a file in it is no part of a run: nobody's work is
    ///   removed.
    package static func restart(
        _ path: String, configuration: String, seed: UInt64, configurationSHA256: String
    ) throws -> Opening {
        let aside = asidePath(of: path)
        try Files.removeFolder(aside)
        do {
            return try open(
                path, configuration: configuration, seed: seed,
                configurationSHA256: configurationSHA256)
        } catch let error as RunDirectoryError {
            guard case .unfinished = error.reason else { throw error }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        if let name = names.sorted().first(where: { !isPartOfRun($0) }) {
            throw RunDirectoryError(path: path, reason: .holdsForeign(name: name))
        }
        guard unsafe rename(path, aside) == 0 else {
            throw FileError(operation: .write, path: path, code: errno)
        }
        try Files.removeFolder(aside)
        return try open(
            path, configuration: configuration, seed: seed,
            configurationSHA256: configurationSHA256)
    }

    /// Beside the folder, under a name that no run has.
    private static func asidePath(of path: String) -> String {
        let path = path as NSString
        return (path.deletingLastPathComponent as NSString)
            .appendingPathComponent(".removed-" + path.lastPathComponent)
    }

    /// A file that was being replaced when the process ended has a name of its own.
    private static func isPartOfRun(_ name: String) -> Bool {
        ["metrics.jsonl", "config.yaml", "checkpoints", "log"].contains(name)
            || name.hasPrefix("config.yaml.") && name.hasSuffix(".tmp")
    }
}

/// Keeps a folder to one process. The system gives it up when the process ends, however that happens.
package final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder where it is missing.
    ///
    /// - Throws: ``FileError`` with `EWOULDBLOCK` where another process has it.
    package init(_ path: String) throws(FileError) {
        try Files.makeFolders(path)
        descriptor = try Files.open(path + "/.lock", flags: O_RDWR | O_CREAT, for: .write)
        guard Files.retrying({ flock(descriptor, LOCK_EX | LOCK_NB) }) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(operation: .write, path: path, code: code)
        }
    }

    deinit { close(descriptor) }
}

extension Files {
    /// Removes a folder with all that is in it; one that is not there is no error.
    fileprivate static func removeFolder(_ path: String) throws(FileError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else { return }
            throw FileError(operation: .write, path: path, code: (error as NSError).posixCode)
        }
    }
}

extension NSError {
    /// `errno` as Foundation passed it on.
    fileprivate var posixCode: Int32 {
        let cause = userInfo[NSUnderlyingErrorKey] as? NSError ?? self
        return cause.domain == NSPOSIXErrorDomain ? Int32(cause.code) : EIO
    }
}
