/// IDX: the bytes 00 00, a type, a rank, that many big-endian 32-bit dimensions, then the values.
///
/// Source: yann.lecun.com/exdb/mnist, "The IDX file format". Only unsigned bytes occur here: images
/// `[count, 28, 28]` and labels `[count]`.
enum IDX {
    static let unsignedBytes: UInt8 = 0x08

    /// The pixels, `[count, 784]`, row-major.
    static func decodeImages(_ stream: any ByteStream) throws(DatasetError) -> [UInt8] {
        let header = try decodeHeader(stream, rank: 3)
        let (rows, columns) = (header.dimensions[1], header.dimensions[2])
        guard rows == LabelledImages.side, columns == LabelledImages.side else {
            throw DatasetError(
                .wrongImageSize(rows: rows, columns: columns), path: stream.name, byteOffset: 8)
        }
        return try decodeValues(stream, header)
    }

    /// The labels, `[count]`, each 0 to 9.
    static func decodeLabels(_ stream: any ByteStream) throws(DatasetError) -> [UInt8] {
        let header = try decodeHeader(stream, rank: 1)
        let labels = try decodeValues(stream, header)
        if let index = labels.firstIndex(where: { $0 >= LabelledImages.classCount }) {
            throw DatasetError(
                .wrongLabel(label: labels[index], index: index), path: stream.name,
                byteOffset: header.byteCount + index)
        }
        return labels
    }

    /// The header of a file with these dimensions.
    static func header(dimensions: [Int]) -> [UInt8] {
        [0, 0, unsignedBytes, UInt8(dimensions.count)]
            + dimensions.flatMap { dimension in
                stride(from: 24, through: 0, by: -8).map { UInt8(dimension >> $0 & 0xff) }
            }
    }

    private struct Header {
        let dimensions: [UInt32]
        let valueCount: Int

        var byteCount: Int { IDX.headerByteCount(rank: dimensions.count) }
    }

    static func headerByteCount(rank: Int) -> Int { 4 + 4 * rank }

    private static func decodeHeader(
        _ stream: any ByteStream, rank: UInt8
    ) throws(DatasetError) -> Header {
        let byteCount = headerByteCount(rank: Int(rank))
        let start = try stream.read(4)
        if start.count >= 2, start[0] != 0 || start[1] != 0 {
            throw DatasetError(
                .wrongMagic(found: UInt16(start[0]) << 8 | UInt16(start[1])), path: stream.name,
                byteOffset: 0)
        }
        guard start.count == 4 else {
            throw truncated(stream, expected: byteCount, at: start.count)
        }
        guard start[2] == unsignedBytes else {
            throw DatasetError(.wrongType(found: start[2]), path: stream.name, byteOffset: 2)
        }
        guard start[3] == rank else {
            throw DatasetError(
                .wrongRank(found: start[3], expected: rank), path: stream.name, byteOffset: 3)
        }
        let rest = try stream.read(byteCount - 4)
        guard rest.count == byteCount - 4 else {
            throw truncated(stream, expected: byteCount, at: 4 + rest.count)
        }
        let dimensions = stride(from: 0, to: rest.count, by: 4).map { first in
            rest[first..<first + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        var valueCount = 1
        for dimension in dimensions {
            let (product, overflow) = valueCount.multipliedReportingOverflow(by: Int(dimension))
            guard !overflow, product <= Int.max - byteCount else {
                throw DatasetError(
                    .dimensionOverflow(dimensions: dimensions), path: stream.name, byteOffset: 4)
            }
            valueCount = product
        }
        return Header(dimensions: dimensions, valueCount: valueCount)
    }

    private static func decodeValues(
        _ stream: any ByteStream, _ header: Header
    ) throws(DatasetError) -> [UInt8] {
        guard header.dimensions[0] > 0 else {
            throw DatasetError(.noExamples, path: stream.name, byteOffset: 4)
        }
        // A header may announce more than fits in memory: ask for no more than can come.
        let values = try stream.read(min(header.valueCount, stream.largestRemainingByteCount))
        guard values.count == header.valueCount else {
            throw truncated(
                stream, expected: header.byteCount + header.valueCount,
                at: header.byteCount + values.count)
        }
        return values
    }

    private static func truncated(
        _ stream: any ByteStream, expected: Int, at byteCount: Int
    ) -> DatasetError {
        DatasetError(
            .truncated(expectedByteCount: expected, byteCount: byteCount), path: stream.name,
            byteOffset: byteCount)
    }
}
