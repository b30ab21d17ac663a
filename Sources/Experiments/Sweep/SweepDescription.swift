import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import RunRecords
import TrainingPlan

/// `sweep.json`: what was varied, on which data, with which versions. It holds no time, so that
/// every start of the same sweep writes the same bytes.
package struct SweepDescription: Codable, Equatable, Sendable {
    /// A setting with its values, as they were given.
    package struct Axis: Codable, Equatable, Sendable {
        package var setting: String
        package var values: [String]

        package init(setting: String, values: [String]) {
            self.setting = setting
            self.values = values
        }
    }

    package struct Run: Codable, Equatable, Sendable {
        package var id: String
        /// Every setting by its name in files.
        package var settings: [String: String]
    }

    package var format = Self.formatName
    package var formatVersion = Self.currentVersion
    package var dataset: String
    package var datasetSHA256: String
    package var versions: [String: String]
    package var grid: [Axis]
    package var runs: [Run]

    private static let formatName = "lockstep-sweep"
    private static let currentVersion = 1

    package enum CodingKeys: String, CodingKey {
        case format
        case formatVersion = "format_version"
        case dataset
        case datasetSHA256 = "dataset_sha256"
        case versions, grid, runs
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

    init(_ sweep: Sweep, ids: [String]) {
        dataset = sweep.dataset.name
        datasetSHA256 = "\(sweep.dataset.sha256)"
        versions = ["lockstep": lockstepVersion, "arithmetic": "\(arithmeticVersion)"]
        grid = sweep.grid
        runs = zip(sweep.runs, ids).map { run, id in
            Run(id: id, settings: run.configuration.settings)
        }
    }

    /// - Throws: ``RoleError`` (78) where a file of that name is none of ours, or of another
    ///   version.
    static func check(_ directory: String) throws {
        let path = path(in: directory)
        guard FileManager.default.fileExists(atPath: path) else { return }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let head = try? JSONDecoder().decode(Head.self, from: bytes)
        guard let head, head.format == formatName else {
            throw RoleError(
                .mismatch, "\(path) does not describe a sweep; choose another place for this one")
        }
        guard head.formatVersion == currentVersion else {
            throw RoleError(
                .mismatch,
                "\(path) has version \(head.formatVersion), and this program writes "
                    + "\(currentVersion); choose another place, or take the program that wrote it")
        }
    }

    /// - Throws: ``RoleError`` (78) where the sweeps in a folder were made on other data.
    static func check(folder: String, for dataset: Dataset) throws {
        let names = try FileDisk().names(in: folder)
        for directory in names.map({ "\(folder)/\($0)" }) {
            guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: path(in: directory))),
                let found = try? JSONDecoder().decode(Self.self, from: bytes),
                found.datasetSHA256 != "\(dataset.sha256)"
            else { continue }
            throw RoleError(
                .mismatch,
                "\(directory) holds runs on other data (\(found.dataset), SHA-256 "
                    + "\(found.datasetSHA256.prefix(12))) than there is here (\(dataset.name), "
                    + "SHA-256 \("\(dataset.sha256)".prefix(12))); name another place with "
                    + "--run-dir, or the runs' data with --data")
        }
    }

    private static func path(in directory: String) -> String { directory + "/sweep.json" }

    /// Puts the file in a sweep's folder, in place of that of an earlier start.
    func write(to directory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try RunDirectory.writeFile(
            Self.path(in: directory), Array(encoder.encode(self)) + [UInt8(ascii: "\n")])
    }
}
