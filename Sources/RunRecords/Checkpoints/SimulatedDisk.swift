import Synchronization

/// A file system in memory that fails as real ones do, the same way for the same seed.
///
/// What was not synchronised may be lost in a crash: bytes of files, and names in folders, renamed
/// ones included. Every change counts as one operation, so that a test can fail or stop at each of
/// them.
package final class SimulatedDisk: Disk {
    /// What becomes of an operation.
    package enum Fault: Hashable, Sendable {
        /// `ENOSPC`; a write leaves half of its bytes.
        case full
        /// `EIO`; a write leaves half of its bytes.
        case failed
        /// Half of the bytes are written, and success is reported.
        case torn
        /// Nothing happens, and success is reported.
        case lost
        /// The bytes go to another file, and success is reported.
        case misdirected
    }

    /// What a crash keeps of what was not made durable.
    package enum Crash: Sendable {
        case nothing
        /// Any part, by the seed: sectors of files, and beginnings of each folder's changes.
        case anything
    }

    private let state: Mutex<SimulatedFiles>

    package init(seed: UInt64 = 0) {
        state = Mutex(SimulatedFiles(random: SplitMix(state: seed)))
    }

    /// Changes so far.
    package var operationCount: Int { state.withLock { $0.operationCount } }

    /// From this operation on everything fails, as nothing continues in a process that is gone; nil
    /// for never.
    package func stop(at operation: Int?) { state.withLock { $0.stop = operation } }

    /// Lets an operation, counted from 0 over the disk's life, go wrong.
    package func fail(at operation: Int, _ fault: Fault) {
        state.withLock { $0.faults[operation] = fault }
    }

    /// Bytes that all files together may take; nil for any number.
    package func setCapacity(_ byteCount: Int?) { state.withLock { $0.capacity = byteCount } }

    /// The power goes and comes back.
    package func crash(keeping kept: Crash = .nothing) { state.withLock { $0.crash(kept) } }

    /// The paths of all files, sorted.
    package var files: [String] { state.withLock { $0.paths() } }

    /// Puts bytes into a file past all rules, durable at once: rot, or a hand that writes where it
    /// should not.
    package func overwrite(_ path: String, with bytes: [UInt8]) {
        state.withLock { $0.overwrite(path, bytes) }
    }

    /// Another disk with the same content, all of it durable.
    package func copy(seed: UInt64 = 0) -> SimulatedDisk {
        let copy = SimulatedDisk(seed: seed)
        state.withLock { own in
            let files = own.everythingDurable(SplitMix(state: seed))
            copy.state.withLock { $0 = files }
        }
        return copy
    }

    // MARK: Disk

    package func makeFolders(_ path: String) throws(FileError) {
        try state.withLock { state throws(FileError) in try state.makeFolders(path) }
    }

    package func names(in folder: String) throws(FileError) -> [String] {
        try state.withLock { state throws(FileError) in try state.names(in: folder) }
    }

    package func read(_ path: String) throws(FileError) -> [UInt8] {
        try state.withLock { state throws(FileError) in try state.read(path) }
    }

    package func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile {
        let node = try state.withLock { state throws(FileError) in try state.open(path, mode) }
        return SimulatedDiskFile(self, path, node)
    }

    package func rename(_ path: String, to newPath: String) throws(FileError) {
        try state.withLock { state throws(FileError) in try state.rename(path, newPath) }
    }

    package func removeFile(_ path: String) throws(FileError) {
        try state.withLock { state throws(FileError) in try state.remove(path, isFolder: false) }
    }

    package func removeFolder(_ path: String) throws(FileError) {
        try state.withLock { state throws(FileError) in try state.remove(path, isFolder: true) }
    }

    package func synchronizeFolder(_ path: String) throws(FileError) {
        try state.withLock { state throws(FileError) in try state.synchronizeFolder(path) }
    }

    fileprivate func change<Result>(
        _ body: (inout SimulatedFiles) throws(FileError) -> Result
    ) throws(FileError) -> Result where Result: Sendable {
        try state.withLock { state throws(FileError) in try body(&state) }
    }
}

private final class SimulatedDiskFile: DiskFile {
    private let disk: SimulatedDisk
    private let path: String
    private let node: Int

    init(_ disk: SimulatedDisk, _ path: String, _ node: Int) {
        self.disk = disk
        self.path = path
        self.node = node
    }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(FileError) -> Int {
        try disk.change { files throws(FileError) in
            try files.write(bytes, to: node, at: offset, path: path)
        }
    }

    func truncate(to byteCount: Int) throws(FileError) {
        try disk.change { files throws(FileError) in
            try files.truncate(node, to: byteCount, path: path)
        }
    }

    func synchronize() throws(FileError) {
        try disk.change { files throws(FileError) in
            try files.synchronize(node, path: path)
        }
    }
}
