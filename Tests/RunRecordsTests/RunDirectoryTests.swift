import Foundation
import RunRecords
import TestSupport
import Testing

@Suite struct RunDirectoryTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/deep/run"
    }

    private func open(
        seed: UInt64 = 1, hash: String = Samples.provenance.configurationSHA256
    ) throws -> RunDirectory.Opening {
        try RunDirectory.open(
            path, configuration: "ce-softmax", seed: seed, configurationSHA256: hash)
    }

    private func leave(_ records: [MetricsRecord]) throws {
        guard case .new(let directory) = try open() else {
            Issue.record("the directory is not new")
            return
        }
        let log = try MetricsLog(creating: directory.metricsPath, provenance: Samples.provenance)
        for record in records { try log.append(record) }
        log.flush()
    }

    @Test func freshNamesNeverCollide() throws {
        let date = Date(timeIntervalSince1970: 1_800_000_000)
        let directories = try (0..<3).map { _ in
            try RunDirectory.fresh(
                in: folder.path + "/runs", configuration: "mse-tanh", seed: 7, date: date)
        }
        let name = folder.path + "/runs/mse-tanh-seed7-20270115T080000Z"
        #expect(directories.map(\.path) == [name, name + "-2", name + "-3"])
        for directory in directories {
            #expect(FileManager.default.fileExists(atPath: directory.logPath))
        }
        // A clock that jumps back finds the names of its earlier visit taken.
        let later = try [date + 1, date].map {
            try RunDirectory.fresh(
                in: folder.path + "/runs", configuration: "mse-tanh", seed: 7, date: $0)
        }
        let next = folder.path + "/runs/mse-tanh-seed7-20270115T080001Z"
        #expect(later.map(\.path) == [next, name + "-4"])
    }

    @Test func takesANewAndAnEmptyPlace() throws {
        #expect(try open() == .new(RunDirectory(path: path)))
        // Nothing was written yet: a second start is as good as the first.
        #expect(try open() == .new(RunDirectory(path: path)))
    }

    @Test(arguments: [EndRecord.Status.completed, .target, .diverged])
    func showsAFinishedRunAgain(status: EndRecord.Status) throws {
        let records: [MetricsRecord] = [
            .run(Samples.run()), .step(Samples.step(1)), .epoch(Samples.epoch(1)),
            .end(Samples.end(status)),
        ]
        try leave(records)
        guard case .finished(let directory, let outcome) = try open() else {
            Issue.record("the run is not taken as finished")
            return
        }
        #expect(directory.path == path)
        #expect(outcome.end == Samples.end(status))
        #expect(outcome.epochs == [Samples.epoch(1)])
        #expect(outcome.saturation == [0.5, 0.125])
    }

    @Test(arguments: [EndRecord.Status.interrupted, .lost, nil])
    func knowsAnUnfinishedRun(status: EndRecord.Status?) throws {
        let end = status.map { [MetricsRecord.end(Samples.end($0, epochs: 0))] } ?? []
        try leave([.run(Samples.run()), .step(Samples.step(41))] + end)
        #expect(try open() == .unfinished(RunDirectory(path: path)))
    }

    @Test func aLogWithoutAWholeLineIsUnfinished() throws {
        try leave([])
        #expect(try open() == .unfinished(RunDirectory(path: path)))
        try #"{"event":"run","conf"#.write(
            toFile: path + "/metrics.jsonl", atomically: true, encoding: .utf8)
        #expect(try open() == .unfinished(RunDirectory(path: path)))
        // A beginning of something else is nobody's run.
        try "dear diary".write(toFile: path + "/metrics.jsonl", atomically: true, encoding: .utf8)
        #expect(throws: MetricsError.self) { try open() }
    }

    @Test func tellsOtherDataFromAnotherRun() throws {
        try leave([.run(Samples.run()), .step(Samples.step(1))])
        let error = try #require(throws: RunDirectoryError.self) {
            try RunDirectory.open(
                path, configuration: "ce-softmax", seed: 1,
                configurationSHA256: String(repeating: "99", count: 32),
                datasetSHA256: String(repeating: "88", count: 32))
        }
        for word in [path, "mnist", "d1d1d1d1d1d1", "888888888888", "--data"] {
            #expect("\(error)".contains(word), "\(error)")
        }
    }

    @Test func refusesAnotherRun() throws {
        try leave([.run(Samples.run()), .end(Samples.end())])
        let other = String(repeating: "99", count: 32)
        let hashError = try #require(throws: RunDirectoryError.self) { try open(hash: other) }
        #expect("\(hashError)".contains("c0c0c0c0c0c0") && "\(hashError)".contains("999999999999"))
        let seedError = try #require(throws: RunDirectoryError.self) { try open(seed: 2) }
        #expect("\(seedError)".contains("seed 1") && "\(seedError)".contains("seed 2"))
    }

    @Test func refusesAFolderOfSomethingElse() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try "mine".write(toFile: path + "/letter.txt", atomically: true, encoding: .utf8)
        let error = try #require(throws: RunDirectoryError.self) { try open() }
        #expect(error.reason == .notARun)
    }

    @Test func namesAPlaceThatCannotBeWritten() throws {
        try "a file".write(toFile: folder.path + "/deep", atomically: true, encoding: .utf8)
        let error = try #require(throws: FileError.self) { try open() }
        #expect(error.operation == .write)
        #expect("\(error)".contains(folder.path + "/deep"))
    }

    /// /proc says of every name that its parent is missing.
    @Test func endsWhereNoFolderCanBeMade() throws {
        let error = try #require(throws: FileError.self) {
            try RunDirectory.open(
                "/proc/lockstep/run", configuration: "ce-softmax", seed: 1,
                configurationSHA256: Samples.provenance.configurationSHA256)
        }
        #expect(error == FileError(operation: .write, path: "/proc/lockstep", code: ENOENT))
    }

    @Test func replacesFilesWhole() throws {
        guard case .new(let directory) = try open() else { return }
        try directory.writeConfiguration("seed: 1\n")
        try directory.writeConfiguration("seed: 2\n")
        let text = try String(contentsOfFile: directory.configurationPath, encoding: .utf8)
        #expect(text == "seed: 2\n")
        let file = try directory.writeCheckpoint(step: 10, file: "weights.safetensors", [1, 2, 3])
        #expect(file == path + "/checkpoints/step-10/weights.safetensors")
        #expect(try Data(contentsOf: URL(filePath: file)) == Data([1, 2, 3]))
        let names = try FileManager.default.subpathsOfDirectory(atPath: path)
        #expect(!names.contains { $0.hasSuffix(".tmp") })
    }

    @Test func whatAKilledProcessLeftGoes() throws {
        guard case .new(let directory) = try open() else { return }
        // Of a process that there is not, of one that there is, and of nobody.
        for owner in ["99999999", "1", "x"] {
            try "seed".write(
                toFile: "\(directory.configurationPath).\(owner).tmp", atomically: true,
                encoding: .utf8)
        }
        try directory.writeConfiguration("seed: 1\n")
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(
            names.filter { $0.hasPrefix("config") }.sorted()
                == ["config.yaml", "config.yaml.1.tmp", "config.yaml.x.tmp"])
    }

    /// A run that continues while the disk is full is not to fail for a file that it has.
    @Test func theSameConfigurationIsNotWrittenAgain() throws {
        guard case .new(let directory) = try open() else {
            Issue.record("the directory is not new")
            return
        }
        try directory.writeConfiguration("seed: 1\n")
        // Where it would be written first: nothing can be written there now.
        let taken = "\(directory.configurationPath).\(getpid()).tmp"
        try FileManager.default.createDirectory(
            atPath: taken, withIntermediateDirectories: false)
        try directory.writeConfiguration("seed: 1\n")
        #expect(throws: FileError.self) { try directory.writeConfiguration("seed: 2\n") }
    }
}
