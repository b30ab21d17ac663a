import Foundation
import Hashing

/// `manifest.json` of a checkpoint: what belongs to it. It is written last, so that a checkpoint
/// without it was never finished.
///
/// The file is `{"manifest":BODY,"sha256":"DIGEST"}` and a newline, the digest over the bytes of
/// the body. Everything around the body is fixed, so that every changed bit is noticed.
struct CheckpointManifest: Codable, Equatable {
    struct Shard: Codable, Equatable {
        var file: String
        /// The floats of the flat vector that are in it.
        var start: Int
        var end: Int
        var byteCount: Int
        var sha256: String

        enum CodingKeys: String, CodingKey {
            case file, start, end
            case byteCount = "byte_count"
            case sha256
        }
    }

    var format = Self.formatName
    var formatVersion = Self.currentVersion
    var step: Int
    var provenance: Provenance
    var arithmeticVersion: Int
    var parameterCount: Int
    var stateCount: Int
    var shards: [Shard]
    var recording: RecordingState
    var log: LogMark

    static let fileName = "manifest.json"
    private static let formatName = "lockstep-checkpoint"
    static let currentVersion = 1

    enum CodingKeys: String, CodingKey {
        case format
        case formatVersion = "format_version"
        case step, provenance
        case arithmeticVersion = "arithmetic_version"
        case parameterCount = "parameter_count"
        case stateCount = "state_count"
        case shards, recording, log
    }

    /// Enough to tell whose file it is.
    private struct Head: Decodable {
        let format: String
        let formatVersion: Int

        enum CodingKeys: String, CodingKey {
            case format
            case formatVersion = "format_version"
        }
    }

    var identity: CheckpointIdentity {
        CheckpointIdentity(
            provenance: provenance, arithmeticVersion: arithmeticVersion,
            parameterCount: parameterCount, stateCount: stateCount)
    }

    // MARK: Bytes

    private static let opening = Array(#"{"manifest":"#.utf8)
    private static let middle = Array(#","sha256":""#.utf8)
    private static let closing = Array("\"}\n".utf8)
    private static let digestByteCount = 64
    private static let tailByteCount = middle.count + digestByteCount + closing.count

    /// JSON has no word for what is not finite.
    private static let infinity = "inf"
    private static let negativeInfinity = "-inf"
    private static let notANumber = "nan"

    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: Self.infinity, negativeInfinity: Self.negativeInfinity,
            nan: Self.notANumber)
        guard let body = try? encoder.encode(self) else {
            preconditionFailure("a manifest of numbers and strings can be encoded")
        }
        return Self.opening + body + Self.middle + Array("\(SHA256.hash(body))".utf8)
            + Self.closing
    }

    /// - Throws: ``CheckpointFault`` for any other bytes than ``encoded()`` gives.
    init(decoding bytes: [UInt8]) throws(CheckpointFault) {
        let file = Self.fileName
        let bodyEnd = bytes.count - Self.tailByteCount
        guard bodyEnd > Self.opening.count, bytes.starts(with: Self.opening),
            bytes[bodyEnd...].starts(with: Self.middle), bytes.suffix(3) == Self.closing[...]
        else {
            throw .damaged("\(file) is cut short or no manifest (\(bytes.count) bytes)")
        }
        let body = Array(bytes[Self.opening.count..<bodyEnd])
        let digest = bytes[(bodyEnd + Self.middle.count)...].prefix(Self.digestByteCount)
        guard Array("\(SHA256.hash(body))".utf8)[...] == digest else {
            throw .damaged("\(file) does not have the digest that it names")
        }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: Self.infinity, negativeInfinity: Self.negativeInfinity,
            nan: Self.notANumber)
        let data = Data(body)
        guard let head = try? decoder.decode(Head.self, from: data), head.format == Self.formatName
        else { throw .damaged("\(file) does not describe a checkpoint") }
        guard head.formatVersion <= Self.currentVersion else {
            throw .mismatch(
                "it has format version \(head.formatVersion), and this program knows versions up "
                    + "to \(Self.currentVersion)")
        }
        do {
            self = try decoder.decode(Self.self, from: data)
        } catch {
            throw .damaged("\(file) lacks a part of what describes a checkpoint")
        }
    }

    init(_ checkpoint: Checkpoint, shards: [Shard]) {
        step = checkpoint.step
        provenance = checkpoint.provenance
        arithmeticVersion = checkpoint.arithmeticVersion
        parameterCount = checkpoint.weights.count
        stateCount = checkpoint.state.count
        self.shards = shards
        recording = checkpoint.recording
        log = checkpoint.log
    }
}

/// Why a checkpoint is not used.
enum CheckpointFault: Error {
    /// Not whole: cut short, changed, or never finished.
    case damaged(String)
    /// Whole, and not for this run or this program.
    case mismatch(String)
    /// The system could not read it.
    case unreadable(FileError)
}
