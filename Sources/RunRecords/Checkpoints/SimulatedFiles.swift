/// Random numbers for simulated faults (SplitMix64; Steele, Lea & Flood 2014).
struct SplitMix: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

/// The files and folders of a ``SimulatedDisk``, each as the system shows it and as the disk holds
/// it.
struct SimulatedFiles: Sendable {
    private struct File: Sendable {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
    }

    /// A change of a folder: the names that it gives (a node) or takes away (nil).
    private typealias Change = [(name: String, node: Int?)]

    private struct Folder: Sendable {
        var entries: [String: Int] = [:]
        var durable: [String: Int] = [:]
        /// From `durable` to `entries`, in order.
        var pending: [Change] = []

        mutating func apply(_ change: Change) {
            for (name, node) in change { entries[name] = node }
            pending.append(change)
        }
    }

    private var random: SplitMix
    /// Node 0 is the root.
    private var folders: [Int: Folder] = [0: Folder()]
    private var files: [Int: File] = [:]
    private var nextNode = 1
    private(set) var operationCount = 0
    var stop: Int?
    var faults: [Int: SimulatedDisk.Fault] = [:]
    var capacity: Int?

    /// What a real disk writes whole or not at all.
    private static let sectorByteCount = 64

    init(random: SplitMix) { self.random = random }

    // MARK: Paths

    private func parts(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

    private func node(_ path: String) -> Int? {
        var node = 0
        for part in parts(path) {
            guard let next = folders[node]?.entries[part] else { return nil }
            node = next
        }
        return node
    }

    private func folderAndName(
        _ path: String, _ operation: FileError.Operation = .write
    ) throws(FileError) -> (folder: Int, name: String) {
        let parts = parts(path)
        guard let name = parts.last, let folder = node(parts.dropLast().joined(separator: "/")),
            folders[folder] != nil
        else { throw FileError(operation: operation, path: path, code: DiskCode.missing) }
        return (folder, name)
    }

    func paths() -> [String] {
        func below(_ folder: Int, _ path: String) -> [String] {
            (folders[folder]?.entries ?? [:]).flatMap { name, node in
                folders[node] == nil ? ["\(path)/\(name)"] : below(node, "\(path)/\(name)")
            }
        }
        return below(0, "").sorted()
    }

    // MARK: Operations

    /// Counts an operation.
    ///
    /// - Returns: whether it really happens.
    private mutating func begin(_ path: String) throws(FileError) -> SimulatedDisk.Fault? {
        defer { operationCount += 1 }
        if let stop, operationCount >= stop {
            throw FileError(operation: .write, path: path, code: DiskCode.failed)
        }
        return faults[operationCount]
    }

    /// For operations that cannot happen in half.
    private mutating func beginWhole(_ path: String) throws(FileError) -> Bool {
        switch try begin(path) {
        case nil: return true
        case .full: throw FileError(operation: .write, path: path, code: DiskCode.full)
        case .failed: throw FileError(operation: .write, path: path, code: DiskCode.failed)
        case .torn, .lost, .misdirected: return false
        }
    }

    mutating func makeFolders(_ path: String) throws(FileError) {
        var parent = 0
        for part in parts(path) {
            if let next = folders[parent]?.entries[part] {
                guard folders[next] != nil else {
                    throw FileError(operation: .write, path: path, code: DiskCode.notAFolder)
                }
                parent = next
                continue
            }
            guard try beginWhole(path) else { return }
            folders[nextNode] = Folder()
            folders[parent]?.apply([(part, nextNode)])
            parent = nextNode
            nextNode += 1
        }
    }

    func names(in path: String) throws(FileError) -> [String] {
        guard let node = node(path) else { return [] }
        guard let folder = folders[node] else {
            throw FileError(operation: .read, path: path, code: DiskCode.notAFolder)
        }
        return folder.entries.keys.sorted()
    }

    func read(_ path: String) throws(FileError) -> [UInt8] {
        guard let node = node(path), let file = files[node] else {
            throw FileError(operation: .read, path: path, code: DiskCode.missing)
        }
        return file.bytes
    }

    mutating func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> Int {
        let (folder, name) = try folderAndName(path)
        if let node = folders[folder]?.entries[name] {
            if mode == .create, files[node]?.bytes.isEmpty == false {
                throw FileError(operation: .write, path: path, code: DiskCode.exists)
            }
            if mode == .replace, try beginWhole(path) { files[node]?.bytes = [] }
            return node
        }
        guard mode != .update else {
            throw FileError(operation: .write, path: path, code: DiskCode.missing)
        }
        let happens = try beginWhole(path)
        files[nextNode] = File()
        if happens { folders[folder]?.apply([(name, nextNode)]) }
        nextNode += 1
        return nextNode - 1
    }

    mutating func write(
        _ bytes: ArraySlice<UInt8>, to node: Int, at offset: Int, path: String
    ) throws(FileError) -> Int {
        let fault = try begin(path)
        var error: FileError?
        var count = bytes.count
        var target = node
        switch fault {
        case nil: break
        case .full: error = FileError(operation: .write, path: path, code: DiskCode.full)
        case .failed: error = FileError(operation: .write, path: path, code: DiskCode.failed)
        case .torn: count /= 2
        case .lost: count = 0
        case .misdirected: target = files.keys.sorted().randomElement(using: &random) ?? node
        }
        if error != nil { count /= 2 }
        if let capacity {
            let others = files.reduce(0) { $0 + ($1.key == target ? 0 : $1.value.bytes.count) }
            let room = max(0, capacity - others - offset)
            if count > room {
                count = room
                // As the system has it: what fits is written, and the next write fails.
                if room == 0 {
                    error = FileError(operation: .write, path: path, code: DiskCode.full)
                }
                put(bytes.prefix(count), target, offset)
                if let error { throw error }
                return count
            }
        }
        put(bytes.prefix(count), target, offset)
        if let error { throw error }
        return bytes.count
    }

    private mutating func put(_ bytes: ArraySlice<UInt8>, _ node: Int, _ offset: Int) {
        guard var file = files[node], !bytes.isEmpty else { return }
        let end = offset + bytes.count
        if file.bytes.count < end {
            file.bytes += [UInt8](repeating: 0, count: end - file.bytes.count)
        }
        file.bytes.replaceSubrange(offset..<end, with: bytes)
        files[node] = file
    }

    mutating func truncate(_ node: Int, to count: Int, path: String) throws(FileError) {
        guard try beginWhole(path), let file = files[node] else { return }
        let missing = max(0, count - file.bytes.count)
        files[node]?.bytes = file.bytes.prefix(count) + [UInt8](repeating: 0, count: missing)
    }

    mutating func synchronize(_ node: Int, path: String) throws(FileError) {
        guard try beginWhole(path), let file = files[node] else { return }
        files[node]?.durable = file.bytes
    }

    mutating func rename(_ path: String, _ newPath: String) throws(FileError) {
        let (folder, name) = try folderAndName(path)
        let (newFolder, newName) = try folderAndName(newPath)
        guard let node = folders[folder]?.entries[name] else {
            throw FileError(operation: .write, path: path, code: DiskCode.missing)
        }
        if let old = folders[newFolder]?.entries[newName], let full = folders[old],
            !full.entries.isEmpty
        {
            throw FileError(operation: .write, path: newPath, code: DiskCode.notEmpty)
        }
        guard try beginWhole(newPath) else { return }
        if folder == newFolder {
            folders[folder]?.apply([(name, nil), (newName, node)])
        } else {
            folders[newFolder]?.apply([(newName, node)])
            folders[folder]?.apply([(name, nil)])
        }
    }

    mutating func remove(_ path: String, isFolder: Bool) throws(FileError) {
        let (folder, name) = try folderAndName(path)
        guard let node = folders[folder]?.entries[name], (folders[node] != nil) == isFolder else {
            throw FileError(operation: .write, path: path, code: DiskCode.missing)
        }
        guard folders[node]?.entries.isEmpty ?? true else {
            throw FileError(operation: .write, path: path, code: DiskCode.notEmpty)
        }
        if try beginWhole(path) { folders[folder]?.apply([(name, nil)]) }
    }

    mutating func synchronizeFolder(_ path: String) throws(FileError) {
        guard let node = node(path), let folder = folders[node] else {
            throw FileError(operation: .write, path: path, code: DiskCode.missing)
        }
        guard try beginWhole(path) else { return }
        folders[node]?.durable = folder.entries
        folders[node]?.pending = []
    }

    // MARK: Accidents

    mutating func overwrite(_ path: String, _ bytes: [UInt8]) {
        guard let node = node(path) else { return }
        files[node]?.bytes = bytes
        files[node]?.durable = bytes
    }

    /// The same content, as a disk holds it that nobody writes to.
    func everythingDurable(_ random: SplitMix) -> SimulatedFiles {
        var copy = SimulatedFiles(random: random)
        copy.nextNode = nextNode
        copy.folders = folders.mapValues { Folder(entries: $0.entries, durable: $0.entries) }
        copy.files = files.mapValues { File(bytes: $0.bytes, durable: $0.bytes) }
        return copy
    }

    mutating func crash(_ kept: SimulatedDisk.Crash) {
        stop = nil
        for node in folders.keys.sorted() {
            guard var folder = folders[node] else { continue }
            folder.entries = folder.durable
            if case .anything = kept {
                let count = Int.random(in: 0...folder.pending.count, using: &random)
                for (name, node) in folder.pending.prefix(count).joined() {
                    folder.entries[name] = node
                }
            }
            folder.durable = folder.entries
            folder.pending = []
            folders[node] = folder
        }
        for node in files.keys.sorted() {
            guard var file = files[node], file.bytes != file.durable else { continue }
            if case .anything = kept { file.durable = mixture(file) }
            file.bytes = file.durable
            files[node] = file
        }
    }

    /// A length between the old and the new, and each sector old or new.
    private mutating func mixture(_ file: File) -> [UInt8] {
        let lengths = [file.bytes.count, file.durable.count].sorted()
        let count = Int.random(in: lengths[0]...lengths[1], using: &random)
        var bytes: [UInt8] = []
        while bytes.count < count {
            let range = bytes.count..<min(bytes.count + Self.sectorByteCount, count)
            let source = Bool.random(using: &random) ? file.bytes : file.durable
            bytes += range.map { $0 < source.count ? source[$0] : 0 }
        }
        return bytes
    }
}
