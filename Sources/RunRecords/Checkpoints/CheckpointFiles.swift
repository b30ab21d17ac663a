import Formats
import Hashing

/// A checkpoint as files: shards of the flat vectors in safetensors, and the manifest.
enum CheckpointFiles {
    typealias File = (name: String, bytes: [UInt8])

    static func shardName(_ index: Int) -> String { "shard-\(index).safetensors" }

    /// Whether a file is a part of a checkpoint, and no file of final weights.
    static func isPart(_ name: String) -> Bool {
        name == CheckpointManifest.fileName
            || name.hasPrefix("shard-") && name.hasSuffix(".safetensors")
    }

    private static let weightsName = "weights"
    private static func stateName(_ index: Int) -> String { "state.\(index)" }

    /// The shards, and the manifest at the end.
    ///
    /// - Parameter ranges: of the flat vector, in order and without gaps.
    static func encode(_ checkpoint: Checkpoint, ranges: [Range<Int>]) -> [File] {
        precondition(
            covers(ranges, checkpoint.weights.count), "shards that cover the flat vector once")
        var files: [File] = []
        var shards: [CheckpointManifest.Shard] = []
        for (index, range) in ranges.enumerated() {
            let bytes = shard(range, of: checkpoint).encoded()
            let name = shardName(index)
            files.append((name, bytes))
            shards.append(
                CheckpointManifest.Shard(
                    file: name, start: range.lowerBound, end: range.upperBound,
                    byteCount: bytes.count, sha256: "\(SHA256.hash(bytes))"))
        }
        let manifest = CheckpointManifest(checkpoint, shards: shards)
        return files + [(CheckpointManifest.fileName, manifest.encoded())]
    }

    private static func shard(_ range: Range<Int>, of checkpoint: Checkpoint) -> Safetensors {
        func tensor(_ name: String, _ values: [Float]) -> Safetensors.Tensor {
            Safetensors.Tensor(name: name, shape: [range.count], values: Array(values[range]))
        }
        return Safetensors(
            metadata: metadata(step: checkpoint.step, range, checkpoint.identity),
            tensors: [tensor(weightsName, checkpoint.weights)]
                + checkpoint.state.enumerated().map { tensor(stateName($0), $1) })
    }

    private static func metadata(
        step: Int, _ range: Range<Int>, _ identity: CheckpointIdentity
    ) -> [String: String] {
        [
            "step": "\(step)", "start": "\(range.lowerBound)", "end": "\(range.upperBound)",
            "dataset": identity.provenance.dataset,
            "dataset_sha256": identity.provenance.datasetSHA256,
            "configuration_sha256": identity.provenance.configurationSHA256,
            "arithmetic_version": "\(identity.arithmeticVersion)",
        ]
    }

    private static func covers(_ ranges: [Range<Int>], _ count: Int) -> Bool {
        var position = 0
        for range in ranges {
            guard range.lowerBound == position else { return false }
            position = range.upperBound
        }
        return position == count && !ranges.isEmpty
    }

    /// Checks everything: digests, lengths, layout, and whose checkpoint it is.
    ///
    /// - Parameters:
    ///   - step: the one that the folder names.
    ///   - identity: the run that wants to continue from it.
    ///   - read: a file's bytes by its name.
    static func decode(
        step: Int, matching identity: CheckpointIdentity,
        read: (String) throws(CheckpointFault) -> [UInt8]
    ) throws(CheckpointFault) -> Checkpoint {
        let manifest = try CheckpointManifest(decoding: read(CheckpointManifest.fileName))
        guard manifest.step == step else {
            throw .damaged("its manifest is that of step \(manifest.step)")
        }
        if let difference = identity.difference(from: manifest.identity) {
            throw .mismatch(difference)
        }
        // Ranges of an untrusted file: built only where they are in order.
        guard manifest.shards.allSatisfy({ 0 <= $0.start && $0.start <= $0.end }),
            covers(manifest.shards.map { $0.start..<$0.end }, identity.parameterCount)
        else { throw .damaged("its shards do not cover the weights") }
        var vectors = [[Float]](repeating: [], count: 1 + identity.stateCount)
        for index in vectors.indices { vectors[index].reserveCapacity(identity.parameterCount) }
        for (index, shard) in manifest.shards.enumerated() {
            guard shard.file == shardName(index) else {
                throw .damaged("its manifest names a shard “\(shard.file)”")
            }
            let tensors = try tensors(of: shard, manifest, bytes: read(shard.file))
            for (vector, values) in tensors.enumerated() { vectors[vector] += values }
        }
        let weights = vectors.removeFirst()
        return Checkpoint(
            step: step, weights: weights, state: vectors, provenance: manifest.provenance,
            arithmeticVersion: manifest.arithmeticVersion, recording: manifest.recording,
            log: manifest.log)
    }

    private static func tensors(
        of shard: CheckpointManifest.Shard, _ manifest: CheckpointManifest, bytes: [UInt8]
    ) throws(CheckpointFault) -> [[Float]] {
        guard bytes.count == shard.byteCount else {
            throw .damaged(
                "\(shard.file) holds \(bytes.count) of \(shard.byteCount) bytes")
        }
        guard "\(SHA256.hash(bytes))" == shard.sha256 else {
            throw .damaged("\(shard.file) does not have the digest that the manifest names")
        }
        let file: Safetensors
        do {
            file = try Safetensors(decoding: bytes, path: shard.file)
        } catch {
            throw .damaged("\(error)")
        }
        let range = shard.start..<shard.end
        let names = [weightsName] + (0..<manifest.stateCount).map(stateName)
        let tensors = names.compactMap { file[$0] }
        guard file.metadata == metadata(step: manifest.step, range, manifest.identity),
            file.tensors.count == names.count, tensors.count == names.count,
            tensors.allSatisfy({ $0.shape == [range.count] })
        else { throw .damaged("\(shard.file) holds other tensors than its manifest says") }
        return tensors.map(\.values)
    }
}
