import Foundation
import TestSupport
import Testing

/// The peers train the same net on the same files: programs in their place tell what they were
/// given.
@Suite(.enabled(if: ToolRun.find("python3") != nil, "needs python3"))
struct PeerTests {
    /// Stands for a peer: notes its arguments and environment, and what it finds in the data.
    private static let script = """
        import gzip, json, os, sys
        folder = os.environ["MNIST_DIR"]
        raw = open(folder + "/train-images-idx3-ubyte", "rb").read()
        packed = gzip.open(folder + "/train-images-idx3-ubyte.gz").read()
        with open(os.environ["BENCH_RECORD"], "a") as record:
            record.write(json.dumps({
                "script": os.path.basename(sys.argv[0]), "arguments": sys.argv[1:],
                "layers": os.environ.get("LAYERS"), "same": raw == packed, "bytes": len(raw),
                "header": list(raw[:16]), "first": list(raw[16:32]), "zeros": raw[16:].count(0),
            }) + "\\n")
        print(json.dumps({"examples_per_second": 1000, "test_accuracy": 0.5}))
        """

    private struct Record: Decodable {
        let script: String
        let arguments: [String]
        let layers: String?
        let same: Bool
        let bytes: Int
        let header: [Int]
        let first: [Int]
        let zeros: Int
    }

    private static let count = 60_000
    private static let digits = Result { try BenchDigits(trainCount: count) }

    private static func step(_ arguments: [String]) throws -> (run: BenchRun, records: [Record]) {
        let folder = try TemporaryFolder()
        for name in ["torch_ddp.py", "jax_scan.py"] { try folder.write(script, name) }
        // Modules of these names are found, whatever is installed.
        for name in ["torch.py", "jax.py"] { try folder.write("", name) }
        let record = folder.path("record")
        let run = try BenchRun(
            ["step", "--peers", folder.path, "--batch-sizes", "2048"] + arguments,
            data: try digits.get().path, command: "step",
            environment: ["PYTHONPATH": folder.path, "BENCH_RECORD": record])
        let records = try String(decoding: folder.read("record"), as: UTF8.self)
            .split(separator: "\n").map {
                try JSONDecoder().decode(Record.self, from: Data($0.utf8))
            }
        return (run, records)
    }

    @Test func bothSidesTrainOnTheInvertedImages() throws {
        let (run, records) = try Self.step(["--input", "inverted"])
        let pixels = try Self.digits.get().pixels
        #expect(
            records.map { "\($0.script) \($0.arguments.joined(separator: " "))" } == [
                // Two epochs for JAX: its first one compiles.
                "jax_scan.py 2048 2 ce-softmax 1", "torch_ddp.py 2048 1 ce-softmax 1 1",
                "jax_scan.py 2048 2 ce-softmax 2", "torch_ddp.py 2048 1 ce-softmax 1 2",
                "torch_ddp.py 2048 1 ce-softmax 2 1",
            ])
        for record in records {
            #expect(record.same, "the gzip file holds what Lockstep reads")
            #expect(record.bytes == 16 + pixels.count)
            // Magic, 60,000 images of 28 × 28: the header is not inverted.
            #expect(record.header == [0, 0, 8, 3, 0, 0, 234, 96, 0, 0, 0, 28, 0, 0, 0, 28])
            #expect(record.first == pixels[..<16].map { 255 - Int($0) })
            #expect(record.zeros == pixels.count { $0 == 255 })
        }
        let goals = run.lines.filter { $0.goal != nil }
        #expect(goals.map(\.row) == ["inverted-jax", "inverted-pytorch"])
        #expect(goals.map(\.goal) == ["≥ 1.2×", "≥ 1.7×"])
        #expect(goals.allSatisfy { $0.againstValue == 1000 })
    }

    @Test(arguments: [30, 50, 70])
    func zerosAreAsManyAsTheirNameSays(percent: Int) throws {
        let (_, records) = try Self.step(["--input", "zeros\(percent)"])
        let pixels = try Self.digits.get().pixels
        for record in records {
            let share = Double(record.zeros) / Double(pixels.count) * 100
            // Of the pixels that are left, those are zero that were white.
            let white = Double(pixels.count { $0 == 255 }) / Double(pixels.count)
            let expected = Double(percent) + (100 - Double(percent)) * white
            #expect(abs(share - expected) < 0.05, "\(share), not \(expected)")
            #expect(record.same)
            for (found, pixel) in zip(record.first, pixels) {
                #expect(found == 0 || found == 255 - Int(pixel))
            }
            #expect(record.zeros == records[0].zeros)
        }
    }

    /// The files are the data's own; JAX has the seed's layers only.
    @Test func oddNetsReachPyTorchAlone() throws {
        let (_, records) = try Self.step(["--layers", "784,33,10", "--micro-batch", "100"])
        let pixels = try Self.digits.get().pixels
        #expect(records.map(\.script) == ["torch_ddp.py", "torch_ddp.py", "torch_ddp.py"])
        #expect(records.allSatisfy { $0.layers == "784,33,10" })
        #expect(records.allSatisfy { $0.first == pixels[..<16].map(Int.init) })
    }
}
