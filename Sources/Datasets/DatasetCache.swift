import Foundation
package import Hashing

/// A data set that could not be kept. The work can continue without.
package struct CacheError: Error, Equatable, Sendable, CustomStringConvertible {
    package let path: String
    package let reason: String

    package var description: String {
        "\(path): cannot be written (\(reason)). Free space there, or set XDG_CACHE_HOME to a "
            + "folder that you may write to."
    }
}

/// Data sets on this host by the hash of their content: a file `HASH.idx` holds the payload.
///
/// An entry appears whole or not at all, and is verified whenever it is read, so any number of
/// processes may share the folder. Its hash is computed once: a second file, `HASH.crc32`, then has
/// the payload's CRC-32, which finds damage as well and costs a sixteenth.
package struct DatasetCache: Sendable {
    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// `$XDG_CACHE_HOME/lockstep`, by default `~/.cache/lockstep`.
    ///
    /// A relative path is ignored, as the XDG base directory specification wants it.
    package init(environment: [String: String]) {
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        let base = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        folder = (base ?? "\(home)/.cache") + "/lockstep"
    }

    /// Where the data set with this hash is, if it is kept.
    package func path(of sha256: SHA256.Digest) -> String { "\(folder)/\(sha256).idx" }

    /// The hashes of what is kept, whether or not it is whole.
    package func entries() -> [SHA256.Digest] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().filter { $0.hasSuffix(".idx") }
            .compactMap { SHA256.Digest(String($0.dropLast(4))) }
    }

    /// The data set with this hash, verified; nil if it is not kept.
    ///
    /// A damaged entry is removed and counts as absent; one that cannot be read only counts as
    /// absent.
    /// - Parameters:
    ///   - name: as `Dataset.init` takes it.
    ///   - note: gets a sentence for the user about either.
    package func load(
        _ sha256: SHA256.Digest, name: String? = nil, note: (String) -> Void
    ) -> Dataset? {
        let path = path(of: sha256)
        guard (try? FileManager.default.attributesOfItem(atPath: path)) != nil else { return nil }
        let damage: DatasetError
        do throws(DatasetError) {
            return try verified(sha256, name: name)
        } catch {
            damage = error
        }
        if case .unreadable = damage.problem {
            note("The cache entry is not used. \(damage)")
            return nil
        }
        do {
            try FileManager.default.removeItem(atPath: path)
            note("The cache entry is damaged and was removed. \(damage)")
        } catch {
            note("The cache entry is damaged and cannot be removed; it is not used. \(damage)")
        }
        return nil
    }

    /// The data set with this hash, which is kept; nothing is removed.
    ///
    /// - Throws: what is wrong with the entry.
    package func verified(
        _ sha256: SHA256.Digest, name: String? = nil
    ) throws(DatasetError) -> Dataset {
        let path = path(of: sha256)
        let dataset = try Dataset(
            payload: FileByteStream(path: path), name: name, origin: "the cache (\(path))",
            seal: seal(of: sha256))
        guard dataset.sha256 == sha256 else {
            throw DatasetError(.damagedCacheEntry(found: dataset.sha256), path: path)
        }
        keepSeal(of: dataset)
        return dataset
    }

    /// Keeps a data set, in place of an entry that is there already.
    package func store(_ dataset: Dataset) throws(CacheError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw CacheError(path: folder, reason: error.localizedDescription)
        }
        let temporary = "\(folder)/.\(UUID().uuidString).partial"
        do throws(CacheError) {
            try write(dataset.segments, to: temporary)
            try check(unsafe rename(temporary, path(of: dataset.sha256)), path(of: dataset.sha256))
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        try synchronize(folder)
        keepSeal(of: dataset)
    }

    private func sealPath(of sha256: SHA256.Digest) -> String { "\(folder)/\(sha256).crc32" }

    private func seal(of sha256: SHA256.Digest) -> DatasetSeal? {
        let text = try? String(contentsOfFile: sealPath(of: sha256), encoding: .utf8)
        guard let crc32 = text.flatMap({ UInt32($0, radix: 16) }) else { return nil }
        return DatasetSeal(sha256: sha256, crc32: crc32)
    }

    /// Without it, the hash is computed the next time too.
    private func keepSeal(of dataset: Dataset) {
        let path = sealPath(of: dataset.sha256)
        guard !FileManager.default.fileExists(atPath: path) else { return }
        let text = String(CRC32.checksum(dataset.segments), radix: 16)
        try? text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func write(_ segments: [ArraySlice<UInt8>], to path: String) throws(CacheError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        try check(descriptor, path)
        defer { close(descriptor) }
        for segment in segments {
            var rest = segment
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes { bytes in
                    unsafe Foundation.write(descriptor, bytes.baseAddress, bytes.count)
                }
                if count < 0, errno == EINTR { continue }
                try check(Int32(truncatingIfNeeded: min(count, 0)), path)
                rest = rest.dropFirst(count)
            }
        }
        try check(fsync(descriptor), path)
    }

    /// Brings a rename in this folder to the disk.
    private func synchronize(_ folder: String) throws(CacheError) {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try check(descriptor, folder)
        defer { close(descriptor) }
        try check(fsync(descriptor), folder)
    }

    private func check(_ result: Int32, _ path: String) throws(CacheError) {
        guard result >= 0 else { throw CacheError(path: path, reason: errnoText()) }
    }
}
