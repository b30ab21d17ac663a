package import RunRecords

/// A deliberate fault: a disk whose owner never asks it to make anything durable.
package struct ForgetfulDisk: Disk {
    private let base: any Disk

    package init(_ base: any Disk) { self.base = base }

    package func makeFolders(_ path: String) throws(FileError) { try base.makeFolders(path) }
    package func names(in folder: String) throws(FileError) -> [String] {
        try base.names(in: folder)
    }
    package func read(_ path: String) throws(FileError) -> [UInt8] { try base.read(path) }
    package func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile {
        File(base: try base.open(path, mode))
    }
    package func rename(_ path: String, to newPath: String) throws(FileError) {
        try base.rename(path, to: newPath)
    }
    package func removeFile(_ path: String) throws(FileError) { try base.removeFile(path) }
    package func removeFolder(_ path: String) throws(FileError) { try base.removeFolder(path) }
    package func synchronizeFolder(_ path: String) throws(FileError) {}

    private struct File: DiskFile {
        let base: any DiskFile

        func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(FileError) -> Int {
            try base.write(bytes, at: offset)
        }
        func truncate(to byteCount: Int) throws(FileError) { try base.truncate(to: byteCount) }
        func synchronize() throws(FileError) {}
    }
}
