import Hashing

/// The events of a file, record after record, as TensorBoard reads it.
///
/// A record is a u64 with the length, the masked CRC-32C of those eight bytes, the data, and their
/// masked CRC-32C; the data are an `Event` (event.proto of TensorFlow, and so are the numbers
/// here).
package struct TensorBoardEvents {
    package private(set) var bytes: [UInt8] = []

    /// Begins the file.
    ///
    /// - Parameter wallTime: seconds since 1970.
    package init(wallTime: Double) {
        var event = ProtobufWriter()
        event.add(1, wallTime)
        event.add(3, "brain.Event:2")
        append(record: event.bytes)
    }

    /// Adds the values of a step in one event.
    package mutating func add(
        step: Int, wallTime: Double, _ fill: (inout TensorBoardValues) -> Void
    ) {
        var values = TensorBoardValues()
        fill(&values)
        var event = ProtobufWriter()
        event.add(1, wallTime)
        event.add(2, step)
        event.add(5, bytes: values.summary.bytes)
        append(record: event.bytes)
    }

    private mutating func append(record data: [UInt8]) {
        var length: [UInt8] = []
        length.append(littleEndian: UInt64(data.count))
        bytes += length
        bytes.append(littleEndian: Self.maskedChecksum(length[...]))
        bytes += data
        bytes.append(littleEndian: Self.maskedChecksum(data[...]))
    }

    /// Masked, because a CRC over data that hold their own CRC is weak.
    private static func maskedChecksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let checksum = CRC32C.checksum(bytes)
        return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
    }
}

extension TensorBoardEvents {
    /// What makes an older file of the same events this one, where nothing that is in it changes:
    /// whoever reads it continues behind the last byte that he has read.
    package struct Growth {
        /// Of the older file; what follows was cut off, or is damaged.
        package var keptByteCount: Int
        /// Records to be put there.
        package var bytes: [UInt8]
    }

    /// - Parameter head: events at the beginning that tell whose file it is.
    /// - Returns: nil where the older file is another's.
    package func growth(of older: [UInt8], head: Int) -> Growth? {
        let (records, keptByteCount) = Self.records(in: older)
        let own = Self.records(in: bytes).records
        guard records.count >= head, records.prefix(head).elementsEqual(own.prefix(head)) else {
            return nil
        }
        let known = Set(records.map(Self.content))
        var growth = TensorBoardEvents()
        for record in own where !known.contains(Self.content(record)) {
            growth.append(record: Array(record))
        }
        return Growth(keptByteCount: keptByteCount, bytes: growth.bytes)
    }

    private init() {}

    /// All but the wall time, which ``add(step:wallTime:_:)`` writes first: that of a step is not
    /// known well before its epoch has ended.
    private static func content(_ record: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        record.dropFirst(1 + MemoryLayout<Double>.size)
    }

    /// Up to the first that is cut off or damaged.
    private static func records(
        in bytes: [UInt8]
    ) -> (records: [ArraySlice<UInt8>], byteCount: Int) {
        var records: [ArraySlice<UInt8>] = []
        var start = 0
        func integer(_ range: Range<Int>) -> UInt64 {
            range.reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
        }
        while bytes.count - start >= overheadByteCount {
            let length = integer(start..<start + 8)
            guard length <= UInt64(bytes.count - start - overheadByteCount) else { break }
            let data = bytes[start + 12..<start + 12 + Int(length)]
            guard
                integer(start + 8..<start + 12) == UInt64(maskedChecksum(bytes[start..<start + 8])),
                integer(data.endIndex..<data.endIndex + 4) == UInt64(maskedChecksum(data))
            else { break }
            records.append(data)
            start = data.endIndex + 4
        }
        return (records, start)
    }

    /// Of the length and the two checksums.
    private static let overheadByteCount = 16
}

/// The values of one event, each under a tag and for the plugin that draws it.
package struct TensorBoardValues {
    /// `Summary`
    fileprivate var summary = ProtobufWriter()

    private enum DataType: Int {
        case float = 1
        case double = 2
        case string = 7
    }

    package mutating func add(scalar tag: String, _ value: Float) {
        summary.add(1) { message in
            message.add(1, tag)
            message.add(2, value)
        }
    }

    package mutating func add(histogram tag: String, _ histogram: Histogram) {
        var content: [UInt8] = []
        for bucket in histogram.buckets {
            for value in [bucket.lowerEdge, bucket.upperEdge, Double(bucket.count)] {
                content.append(littleEndian: value.bitPattern)
            }
        }
        add(tag, plugin: "histograms") { tensor in
            Self.describe(.double, [histogram.buckets.count, 3], in: &tensor)
            tensor.add(4, bytes: content)
        }
    }

    /// - Parameter markdown: what the text plugin shows.
    package mutating func add(text tag: String, _ markdown: String) {
        add(tag, plugin: "text") { tensor in
            Self.describe(.string, [], in: &tensor)
            tensor.add(8, markdown)
        }
    }

    /// - Parameter fill: writes `HParamsPluginData`. The tensor beside it is empty.
    package mutating func add(hyperparameters tag: String, _ fill: (inout ProtobufWriter) -> Void) {
        var content = ProtobufWriter()
        fill(&content)
        add(tag, plugin: "hparams", content: content.bytes) { tensor in
            Self.describe(.float, [0], in: &tensor)
        }
    }

    private mutating func add(
        _ tag: String, plugin: String, content: [UInt8] = [],
        tensor fill: (inout ProtobufWriter) -> Void
    ) {
        /// `DATA_CLASS_TENSOR`
        let tensorClass = 2
        summary.add(1) { message in
            message.add(1, tag)
            message.add(8, message: fill)
            message.add(9) { metadata in
                metadata.add(1) { data in
                    data.add(1, plugin)
                    data.add(2, bytes: content)
                }
                metadata.add(4, tensorClass)
            }
        }
    }

    private static func describe(
        _ type: DataType, _ shape: [Int], in tensor: inout ProtobufWriter
    ) {
        tensor.add(1, type.rawValue)
        tensor.add(2) { message in
            for extent in shape { message.add(2) { $0.add(1, extent) } }
        }
    }
}
