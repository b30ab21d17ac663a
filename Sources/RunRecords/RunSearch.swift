import Foundation

/// The folders of runs at a place and below it, however deep.
package struct RunSearch: Sendable {
    /// Those with a `metrics.jsonl`, in the order of their names, numbers by value; below one no
    /// other is looked for.
    package private(set) var folders: [String] = []
    /// Folders below the place that could not be read.
    package private(set) var faults: [FileError] = []
    /// A link may lead to a folder above.
    private var visited: [FolderIdentity] = []

    /// - Throws: ``FileError`` where the place itself cannot be read, or is not a folder.
    package init(_ place: String) throws(FileError) {
        try search(place.count > 1 && place.hasSuffix("/") ? String(place.dropLast()) : place)
    }

    private mutating func search(_ folder: String) throws(FileError) {
        if unsafe access(RunDirectory(path: folder).metricsPath, F_OK) == 0 {
            return folders.append(folder)
        }
        guard let identity = FolderIdentity(folder), !visited.contains(identity) else {
            // Gone while we looked, or seen before.
            if visited.isEmpty { throw FileError(operation: .read, path: folder, code: ENOENT) }
            return
        }
        visited.append(identity)
        let (names, unusable) = try Files.names(in: folder)
        faults += unusable.map {
            FileError(operation: .read, path: "\(folder)/\($0)", code: EILSEQ)
        }
        for name in names.sorted(by: { $0.compare($1, options: .numeric) == .orderedAscending }) {
            let path = "\(folder)/\(name)"
            var status = stat()
            guard unsafe stat(path, &status) == 0 else {
                // A link into nothing, or a file that has just gone, holds no run.
                if errno != ENOENT {
                    faults.append(FileError(operation: .read, path: path, code: errno))
                }
                continue
            }
            guard status.st_mode & S_IFMT == S_IFDIR else { continue }
            do throws(FileError) {
                try search(path)
            } catch {
                faults.append(error)
            }
        }
    }
}
