import CrashPoints

/// What checkpoints and logs need of a file system, so that a simulated one can stand in its place.
///
/// Nothing is durable before it is synchronised: a file's bytes by ``DiskFile/synchronize()``, its
/// name by ``synchronizeFolder(_:)`` of the folder that it stands in.
package protocol Disk: Sendable {
    /// Makes a folder and those above it; one that is there already is no error.
    func makeFolders(_ path: String) throws(FileError)
    /// The names in a folder, sorted; none where it is missing.
    func names(in folder: String) throws(FileError) -> [String]
    func read(_ path: String) throws(FileError) -> [UInt8]
    /// The bytes from an offset on, at most so many; fewer only at the file's end, none behind it.
    func read(_ path: String, from offset: Int, count: Int) throws(FileError) -> [UInt8]
    func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile
    /// Replaces a file, or an empty folder, at the new place.
    func rename(_ path: String, to newPath: String) throws(FileError)
    func removeFile(_ path: String) throws(FileError)
    /// Removes an empty folder.
    func removeFolder(_ path: String) throws(FileError)
    func synchronizeFolder(_ path: String) throws(FileError)
}

package enum DiskFileMode: Sendable {
    /// Makes the file; one with bytes in it is an error (`EEXIST`).
    case create
    /// Makes the file, or empties the one that is there.
    case replace
    /// The file is there.
    case update
}

/// An open file; it is closed when its owner lets go of it.
package protocol DiskFile: Sendable {
    /// Writes a beginning of `bytes`, one at least, at an offset from the start of the file.
    ///
    /// - Returns: how many bytes were written.
    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(FileError) -> Int
    func truncate(to byteCount: Int) throws(FileError)
    func synchronize() throws(FileError)
}

extension Disk {
    package func read(
        _ path: String, from offset: Int, count: Int
    ) throws(FileError) -> [UInt8] {
        Array(try read(path).dropFirst(offset).prefix(count))
    }

    /// Writes a new file whole and makes its bytes durable. Its name needs the folder, too.
    func writeFile(_ path: String, _ bytes: [UInt8]) throws(FileError) {
        let file = try open(path, .replace)
        var written = 0
        while written < bytes.count {
            written += try file.write(bytes[written...], at: written)
        }
        CrashPoint.checkpointBytesWritten.pass()
        try file.synchronize()
    }

    /// Removes a folder of files, if it is there.
    func removeFolderOfFiles(_ path: String) throws(FileError) {
        for name in try names(in: path) { try removeFile("\(path)/\(name)") }
        do {
            try removeFolder(path)
        } catch {
            guard error.code == DiskCode.missing else { throw error }
        }
    }
}
