import Foundation
import RunRecords
import TestSupport
import Testing

/// What `lockstep export` says to bad input. Needs no Python.
@Suite struct ExportCommandTests {
    private static func expect(
        _ arguments: [String], status: Int32, _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let run = try Lockstep.run(["export"] + arguments)
        #expect(run.status == status, "\(run.output)", sourceLocation: sourceLocation)
        for word in words {
            #expect(run.output.contains(word), "\(run.output)", sourceLocation: sourceLocation)
        }
    }

    @Test func usageIsNamed() throws {
        try Self.expect(["a"], status: 64, "--to")
        try Self.expect(["a", "--to", "gguf"], status: 64, "gguf", "onnx")
        try Self.expect(["a", "b", "--to", "npz"], status: 64, "one checkpoint")
        try Self.expect(["a", "--to", "tensorboard"], status: 64, "--output")
        try Self.expect(
            ["a", "b/../a", "--to", "tensorboard", "--output", "c"], status: 64, "b/../a",
            "duplicate run")
    }

    @Test func whatIsMissingIsNamed() throws {
        let path = NSTemporaryDirectory() + "lockstep-consumer-\(UUID().uuidString)"
        try Self.expect([path, "--to", "onnx"], status: 65, path)
        try Self.expect(
            [path, "--to", "tensorboard", "--output", path + "/board"], status: 65, path)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// The newest checkpoint counts, and one without a file is none.
    @Test func theNewestCheckpointIsTaken() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let output = run.folder + "/model.npz"
            let newer = run.run + "/checkpoints/step-9999"
            try FileManager.default.createDirectory(
                atPath: newer, withIntermediateDirectories: true)
            try Self.expect([run.run, "--to", "npz", "--output", output], status: 0, output)
            try Data("none".utf8).write(to: URL(fileURLWithPath: newer + "/model.safetensors"))
            try Self.expect([run.run, "--to", "npz", "--output", output], status: 65, newer)
            try Self.expect(
                [run.run, "--to", "tensorboard", "--output", output], status: 65, newer)
            // What the run before left is as it was.
            #expect(FileManager.default.fileExists(atPath: output))
        }
    }

    /// The source is never overwritten, by whatever name.
    @Test func aCheckpointIsNotWrittenOver() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let alias = run.folder + "/alias"
            try FileManager.default.createSymbolicLink(
                atPath: alias, withDestinationPath: run.checkpoint())
            try Self.expect(
                [run.run, "--to", "npz", "--output", alias], status: 64, alias, "itself")
            try Self.expect(
                [run.run, "--to", "npz", "--output", run.folder + "/none/x.npz"], status: 73,
                "/none/x.npz")
        }
    }

    @Test func aBrokenLogIsNamed() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let log = run.run + "/metrics.jsonl"
            let arguments = [run.run, "--to", "tensorboard", "--output", run.folder + "/board"]
            let text = try String(contentsOfFile: log, encoding: .utf8)
            func leave(_ text: some StringProtocol) throws {
                try Data(text.utf8).write(to: URL(fileURLWithPath: log))
            }
            try leave(text.dropLast(9))
            try Self.expect(arguments, status: 0, "cut off")
            try leave("x" + text)
            try Self.expect(arguments, status: 65, log + ", line 1")
            try leave("")
            try Self.expect(arguments, status: 65, log, "missing")
        }
    }

    @Test func aCheckpointOfAnotherRunIsRefused() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let place = run.run + "/checkpoints/step-9999"
            let other = run.folder + "/other"
            try run.train(Networks.all[0], to: other)
            let checkpoint = try #require(RunDirectory(path: other).checkpoints.last).path
            let manager = FileManager.default
            try manager.createDirectory(atPath: place, withIntermediateDirectories: true)
            try manager.copyItem(atPath: checkpoint, toPath: place + "/model.safetensors")
            try Self.expect(
                [run.run, "--to", "tensorboard", "--output", run.folder + "/board"], status: 78,
                place)
        }
    }

    private static let name = "events.out.tfevents.lockstep"

    /// The folders of a board that hold events.
    private static func events(_ board: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: board)
            .filter { $0.hasSuffix(name) }.map { String($0.dropLast(name.count + 1)) }.sorted()
    }

    private static func lay(_ run: TrainedRun, _ places: [String]) throws {
        for place in places {
            let path = "\(run.folder)/runs/\(place)"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.copyItem(atPath: run.run, toPath: path)
        }
    }

    /// As `runs/*` gives them: a study's folder with its runs below, a file, and an empty folder.
    /// One that is damaged does not stop the others.
    @Test func foldersOfRunsAreTakenWhole() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let runs = run.folder + "/runs"
            let names = ["study/c", "study/quick/a", "study/quick/b", "z"]
            try Self.lay(run, names)
            try FileManager.default.createDirectory(
                atPath: runs + "/empty", withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: URL(fileURLWithPath: runs + "/notes.txt"))
            let sources = ["empty", "notes.txt", "study", "z"].map { "\(runs)/\($0)" }
            let board = ["--to", "tensorboard", "--output", run.folder + "/board"]
            try Self.expect(
                sources + board, status: 0, "/empty holds no run", "/notes.txt")
            #expect(try Self.events(run.folder + "/board") == names)
            // A run that is there twice, by itself and with others, is taken once.
            let one = ["--to", "tensorboard", "--output", run.folder + "/one"]
            try Self.expect([runs + "/study", runs + "/study/c"] + one, status: 0)
            #expect(try Self.events(run.folder + "/one").count == 3)
            let damaged = [names[0], names[2]].map { "\(runs)/\($0)/metrics.jsonl" }
            for path in damaged { try Data("x\n".utf8).write(to: URL(fileURLWithPath: path)) }
            let rest = ["--to", "tensorboard", "--output", run.folder + "/rest"]
            try Self.expect(sources + rest, status: 65, damaged[0], damaged[1])
            #expect(try Self.events(run.folder + "/rest") == [names[1], names[3]])
            try Self.expect([runs + "/empty"] + rest, status: 65, "/empty/metrics.jsonl")
        }
    }

    /// Runs of one name are told apart by the folders above.
    @Test func runsKeepTheirNames() throws {
        try TrainedRun.with(Networks.all[3]) { run in
            let folders = ["a", "b"].map { "\(run.folder)/\($0)" }
            for folder in folders {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: run.run, toPath: folder + "/run")
            }
            let board = run.folder + "/board"
            try Self.expect(
                folders.map { $0 + "/run" } + ["--to", "tensorboard", "--output", board], status: 0)
            let files = try FileManager.default.subpathsOfDirectory(atPath: board)
                .filter { $0.contains("tfevents") }.sorted()
            #expect(files == ["a", "b"].map { "\($0)/run/events.out.tfevents.lockstep" })
        }
    }
}
