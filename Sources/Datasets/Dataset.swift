package import Hashing

/// A training set and a test set with the name and the hash that everything made from them bears.
package struct Dataset: Sendable {
    /// `mnist` or `synthetic-digits` where the hash is theirs, otherwise as given, or `idx-` and
    /// the first twelve digits of the hash.
    package let name: String
    /// Over the payload: the four uncompressed IDX files in the order of `DatasetPart`.
    package let sha256: SHA256.Digest
    package let train: LabelledImages
    package let test: LabelledImages
    /// Where it came from, in words for a person.
    package let origin: String

    /// Hashes the payload: some 0.2 s for MNIST, unless a seal tells the hash of these bytes.
    package init(
        name: String? = nil, train: LabelledImages, test: LabelledImages, origin: String,
        seal: DatasetSeal? = nil
    ) {
        precondition(train.count > 0 && test.count > 0, "a data set has examples")
        let segments = Self.segments(train: train, test: test)
        if let seal, seal.crc32 == CRC32.checksum(segments) {
            sha256 = seal.sha256
        } else {
            var hash = SHA256()
            for segment in segments { hash.update(segment) }
            sha256 = hash.finalize()
        }
        let claimed = name == MNIST.name ? nil : name
        self.name = Self.name(of: sha256) ?? claimed ?? "idx-\("\(sha256)".prefix(12))"
        self.train = train
        self.test = test
        self.origin = origin
    }

    /// The names that belong to one hash only.
    private static func name(of sha256: SHA256.Digest) -> String? {
        switch sha256 {
        case MNIST.sha256: MNIST.name
        case SyntheticDigits.sha256: SyntheticDigits.name
        default: nil
        }
    }
}

/// The hash of a payload that was verified, with a checksum that finds damage sixteen times as
/// fast.
package struct DatasetSeal: Hashable, Sendable {
    package let sha256: SHA256.Digest
    package let crc32: UInt32
}

// The payload: what goes over the network, into the cache, and under the hash.
extension Dataset {
    package var payloadByteCount: Int { segments.reduce(0) { $0 + $1.count } }

    /// A piece of the payload, shorter than asked for at the end. It is put together on demand: the
    /// payload never lies in memory a second time.
    package func payloadChunk(offset: Int, byteCount: Int) -> [UInt8] {
        var chunk = [UInt8]()
        chunk.reserveCapacity(min(byteCount, max(0, payloadByteCount - offset)))
        var start = 0
        for segment in segments {
            let skipped = max(0, offset - start)
            start += segment.count
            chunk += segment.dropFirst(skipped).prefix(byteCount - chunk.count)
        }
        return chunk
    }

    /// The data set of a payload.
    ///
    /// - Parameter name: as the sender has it; a name that belongs to a hash counts only with that.
    package init(
        payload: [UInt8], name: String? = nil, origin: String
    ) throws(DatasetError) {
        try self.init(
            payload: MemoryStream(payload, name: "the data set's payload"), name: name,
            origin: origin)
    }

    init(
        payload stream: any ByteStream, name: String?, origin: String, seal: DatasetSeal? = nil
    ) throws(DatasetError) {
        let train = try Self.decode(images: stream, labels: stream)
        let test = try Self.decode(images: stream, labels: stream)
        self.init(name: name, train: train, test: test, origin: origin, seal: seal)
        try stream.finish(expectedByteCount: payloadByteCount)
    }

    /// One half of a data set. Each stream is left where its values end.
    static func decode(
        images: any ByteStream, labels: any ByteStream
    ) throws(DatasetError) -> LabelledImages {
        let pixels = try IDX.decodeImages(images)
        let digits = try IDX.decodeLabels(labels)
        let imageCount = pixels.count / LabelledImages.pixelCount
        guard imageCount == digits.count else {
            throw DatasetError(
                .countsDiffer(images: imageCount, labels: digits.count), path: labels.name,
                byteOffset: images === labels ? nil : 4)
        }
        return LabelledImages(pixels: pixels, labels: digits)
    }

    /// The IDX file of one part, as header and values.
    func file(_ part: DatasetPart) -> [ArraySlice<UInt8>] {
        let index = 2 * (DatasetPart.allCases.firstIndex(of: part) ?? 0)
        return Array(segments[index...index + 1])
    }

    var segments: [ArraySlice<UInt8>] { Self.segments(train: train, test: test) }

    /// Header and values, four times.
    private static func segments(
        train: LabelledImages, test: LabelledImages
    ) -> [ArraySlice<UInt8>] {
        [train, test].flatMap { half in
            let side = LabelledImages.side
            return [
                IDX.header(dimensions: [half.count, side, side])[...], half.pixels,
                IDX.header(dimensions: [half.count])[...], half.labels,
            ]
        }
    }
}
