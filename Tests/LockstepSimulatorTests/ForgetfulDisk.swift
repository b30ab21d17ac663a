import RunRecords

/// A deliberate fault: a disk whose owner never asks it to make anything durable.
struct ForgetfulDisk: Disk {
    private let base: any Disk

    init(_ base: any Disk) { self.base = base }

    func makeFolders(_ path: String) throws(FileError) { try base.makeFolders(path) }
    func names(in folder: String) throws(FileError) -> [String] {
        try base.names(in: folder)
    }
    func read(_ path: String) throws(FileError) -> [UInt8] { try base.read(path) }
    func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile {
        File(base: try base.open(path, mode))
    }
    func rename(_ path: String, to newPath: String) throws(FileError) {
        try base.rename(path, to: newPath)
    }
    func removeFile(_ path: String) throws(FileError) { try base.removeFile(path) }
    func removeFolder(_ path: String) throws(FileError) { try base.removeFolder(path) }
    func synchronizeFolder(_ path: String) throws(FileError) {}

    private struct File: DiskFile {
        let base: any DiskFile

        func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(FileError) -> Int {
            try base.write(bytes, at: offset)
        }
        func truncate(to byteCount: Int) throws(FileError) { try base.truncate(to: byteCount) }
        func synchronize() throws(FileError) {}
    }
}
