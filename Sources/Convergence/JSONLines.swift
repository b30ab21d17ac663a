import Foundation

/// Builds JSON objects, one a line, byte by byte.
///
/// A run logs a line a step, thousands a second, beside the training on the same cores;
/// `JSONEncoder` needs tens of microseconds for such a line. The buffer stays in place from line to
/// line, for a copy of it costs more than the line. Keys are those that the record is decoded with,
/// so that a name is spelled once.
struct JSONLines {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    mutating func begin() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    mutating func end() {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func reserveCapacity(_ byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    /// Forgets all lines and keeps the memory.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Forgets the first lines, whole ones.
    mutating func removeFirst(_ byteCount: Int) {
        if byteCount == bytes.count { removeAll() } else { bytes.removeFirst(byteCount) }
    }

    mutating func add(_ key: some CodingKey, _ value: String) {
        add(key: key.stringValue)
        append(quoted: value)
    }

    mutating func add(_ key: some CodingKey, _ value: some FixedWidthInteger) {
        add(key: key.stringValue)
        append(String(value))
    }

    mutating func add(
        _ key: some CodingKey, _ value: some BinaryFloatingPoint & LosslessStringConvertible
    ) {
        add(key: key.stringValue)
        append(number: value)
    }

    mutating func add(_ key: some CodingKey, _ values: [Float]) {
        add(key: key.stringValue)
        array(values) { line, value in line.append(number: value) }
    }

    mutating func add(_ key: some CodingKey, integers values: [Int]) {
        add(key: key.stringValue)
        array(values) { line, value in line.append(String(value)) }
    }

    /// Keys in ascending order, so that equal dictionaries give equal lines.
    mutating func add(_ key: some CodingKey, _ values: [String: String]) {
        object(key) { line in
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                line.add(key: name)
                line.append(quoted: value)
            }
        }
    }

    /// Members that were written before, without braces.
    mutating func add(members: [UInt8]) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        bytes += members
    }

    mutating func object(_ key: some CodingKey, _ fill: (inout JSONLines) -> Void) {
        add(key: key.stringValue)
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        fill(&self)
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    private mutating func array<Value>(
        _ values: [Value], _ appendValue: (inout JSONLines, Value) -> Void
    ) {
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendValue(&self, value)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func add(key: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        append(quoted: key)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// The shortest decimal that reads back as the same value, and null for what JSON cannot say.
    private mutating func append(
        number value: some BinaryFloatingPoint & LosslessStringConvertible
    ) {
        guard value.isFinite else { return append("null") }
        append(value.description)
        if bytes[bytes.count - 1] == UInt8(ascii: "0"), bytes[bytes.count - 2] == UInt8(ascii: ".")
        {
            bytes.removeLast(2)
        }
    }

    private mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.contains(where: Self.needsEscape) {
            for byte in text.utf8 { append(escaped: byte) }
        } else {
            append(text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func append(escaped byte: UInt8) {
        guard Self.needsEscape(byte) else { return bytes.append(byte) }
        bytes.append(UInt8(ascii: "\\"))
        if byte < 0x20 {
            append(byte < 16 ? "u000" : "u00")
            append(String(byte, radix: 16))
        } else {
            bytes.append(byte)
        }
    }
}

enum EventKey: String, CodingKey {
    case event
}

extension MetricsRecord {
    /// The name under which a line says what it is.
    enum Event: String, Decodable {
        case run, step, evaluation, epoch, gap, end

        /// How every line of such a record begins.
        var lineStart: [UInt8] {
            var lines = JSONLines()
            lines.begin()
            lines.add(EventKey.event, rawValue)
            return lines.bytes
        }
    }

    var event: Event {
        switch self {
        case .run: .run
        case .step: .step
        case .evaluation: .evaluation
        case .epoch: .epoch
        case .gap: .gap
        case .end: .end
        }
    }

    /// Appends this record's line.
    ///
    /// - Parameter stamp: that of the run's provenance, which an end carries by itself.
    func write(to lines: inout JSONLines, stamp: [UInt8]) {
        lines.begin()
        lines.add(EventKey.event, event.rawValue)
        switch self {
        case .run(let record): record.write(to: &lines)
        case .step(let record): record.write(to: &lines)
        case .evaluation(let record): record.write(to: &lines)
        case .epoch(let record): record.write(to: &lines)
        case .gap(let record): record.write(to: &lines)
        case .end(let record): record.write(to: &lines)
        }
        if event != .end { lines.add(members: stamp) }
        lines.end()
    }
}

extension Provenance {
    /// What every line of a log ends with: the members of this value, without braces.
    var stamp: [UInt8] {
        var lines = JSONLines()
        lines.begin()
        lines.add(CodingKeys.dataset, dataset)
        lines.add(CodingKeys.datasetSHA256, datasetSHA256)
        lines.add(CodingKeys.configurationSHA256, configurationSHA256)
        lines.end()
        return Array(lines.bytes.dropFirst().dropLast(2))
    }
}

extension EndRecord {
    /// This record's line of the log without its newline: what `--json` prints.
    package var json: String {
        var lines = JSONLines()
        MetricsRecord.end(self).write(to: &lines, stamp: [])
        return String(decoding: lines.bytes.dropLast(), as: UTF8.self)
    }
}

extension RunRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.configuration, configuration)
        line.add(CodingKeys.seed, seed)
        line.object(CodingKeys.placement) { line in
            line.add(Placement.CodingKeys.workers, placement.workers)
            line.add(Placement.CodingKeys.threads, placement.threads)
            line.add(Placement.CodingKeys.servers, placement.servers)
        }
        line.add(CodingKeys.settings, settings)
        line.add(CodingKeys.versions, versions)
        line.add(CodingKeys.started, started.formatted(.iso8601))
    }
}

extension StepRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.loss, loss)
        line.add(CodingKeys.accuracy, accuracy)
        line.add(CodingKeys.learningRate, learningRate)
        line.add(CodingKeys.gradientNorms, gradientNorms)
        if !batchGradientNorms.isEmpty {
            line.add(CodingKeys.batchGradientNorms, batchGradientNorms)
        }
        line.add(CodingKeys.saturation, saturation)
        if let weightsDigest { line.add(CodingKeys.weightsDigest, weightsDigest) }
    }
}

extension EvaluationRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.split, split.rawValue)
        line.add(CodingKeys.loss, loss)
        line.add(CodingKeys.accuracy, accuracy)
        line.add(CodingKeys.seconds, seconds)
    }
}

extension EpochRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.examples, examples)
        line.add(CodingKeys.seconds, seconds)
        line.add(CodingKeys.trainLoss, trainLoss)
        line.add(CodingKeys.trainAccuracy, trainAccuracy)
        line.add(CodingKeys.testLoss, testLoss)
        line.add(CodingKeys.testAccuracy, testAccuracy)
        line.add(CodingKeys.weightsSHA256, weightsSHA256)
    }
}

extension GapRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.firstStep, firstStep)
        line.add(CodingKeys.lastStep, lastStep)
    }
}

extension EndRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.status, status.rawValue)
        line.add(CodingKeys.configuration, configuration)
        line.add(CodingKeys.configurationSHA256, configurationSHA256)
        line.add(CodingKeys.dataset, dataset)
        line.add(CodingKeys.datasetSHA256, datasetSHA256)
        line.add(CodingKeys.seed, seed)
        line.add(CodingKeys.workers, workers)
        line.add(CodingKeys.threads, threads)
        line.add(CodingKeys.servers, servers)
        line.add(CodingKeys.batchSize, batchSize)
        line.add(CodingKeys.steps, steps)
        line.add(CodingKeys.epochs, epochs)
        line.add(CodingKeys.testAccuracy, testAccuracy)
        line.add(CodingKeys.testLoss, testLoss)
        line.add(CodingKeys.seconds, seconds)
        line.add(CodingKeys.examplesPerSecond, examplesPerSecond)
        line.add(CodingKeys.weightsSHA256, weightsSHA256)
        if let cause { line.add(CodingKeys.cause, cause) }
        if let divergedStep { line.add(CodingKeys.divergedStep, divergedStep) }
        if let rescalingChangedDecisions {
            line.add(CodingKeys.rescalingChangedDecisions, rescalingChangedDecisions)
        }
        if let rescalingComparedDecisions {
            line.add(CodingKeys.rescalingComparedDecisions, rescalingComparedDecisions)
        }
    }
}
