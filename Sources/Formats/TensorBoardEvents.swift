import Hashing

/// Writes an events file, record after record, as TensorBoard reads it.
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
        bytes.append(littleEndian: Self.maskedChecksum(length))
        bytes += data
        bytes.append(littleEndian: Self.maskedChecksum(data))
    }

    /// Masked, because a CRC over data that hold their own CRC is weak.
    private static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
        let checksum = CRC32C.checksum(bytes)
        return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
    }
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
