import Foundation
import RunRecords

/// Looks for the folders of runs, however deep they lie.
struct RunSearch {
    /// In the order in which they were named, and below each by name; none twice.
    private(set) var found: [String] = []
    /// What could not be looked into, and why, a line each.
    private(set) var notes: [String] = []
    /// Links may lead back to where the search came from.
    private var visited: Set<String> = []

    /// Looks at a folder that the user named.
    ///
    /// - Throws: ``FileError`` where there is none, or it cannot be read.
    mutating func look(in folder: String) throws(FileError) {
        if let failure = descend(folder) { throw failure }
    }

    /// - Returns: why this folder could not be read. What lies below it is noted.
    private mutating func descend(_ folder: String) -> FileError? {
        guard visited.insert(Self.resolved(folder)).inserted else { return nil }
        let manager = FileManager.default
        if manager.fileExists(atPath: RunDirectory(path: folder).metricsPath) {
            found.append(folder)
            return nil
        }
        // Without leave to enter it the names in it can be had, and nothing else.
        guard unsafe access(folder, R_OK | X_OK) == 0 else {
            return FileError(operation: .read, path: folder, code: errno)
        }
        guard let names = try? manager.contentsOfDirectory(atPath: folder) else {
            return FileError(operation: .read, path: folder, code: ENOTDIR)
        }
        let trimmed = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        for name in names.sorted(by: { $0.compare($1, options: .numeric) == .orderedAscending })
        where !name.hasPrefix(".") {
            let path = "\(trimmed)/\(name)"
            guard Self.isFolder(path) else { continue }
            if let failure = descend(path) { notes.append("\(failure); left out") }
        }
        return nil
    }

    private static func isFolder(_ path: String) -> Bool {
        let values = try? URL(fileURLWithPath: path).resolvingSymlinksInPath()
            .resourceValues(forKeys: [.isDirectoryKey])
        return values?.isDirectory == true
    }

    private static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }
}
