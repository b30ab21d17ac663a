import Foundation
import TestSupport
import Testing

/// Every subcommand runs, without peers, and gives figures that can be.
struct BenchTests {
    @Test func kernelsOfEveryVariantAndTheTree() throws {
        let data = try BenchDigits()
        let lines = try BenchRun(["kernels"], data: data.path, command: "kernels").lines
        let names = lines.map(\.what)
        for name in ["sparseForward", "sparseWeightGradient", "denseForward 784→128", "adam"] {
            #expect(names.contains("\(name), baseline"))
        }
        let tree = lines.filter { $0.against == "one leaf" }
        #expect(tree.map(\.what) == ["32, leaves of 16", "128, leaves of 16", "512, leaves of 16"])
        #expect(tree.allSatisfy { $0.goal == "≤ 1.15×" && $0.unit == "µs" && $0.row == "tree" })
        let products = lines.filter { $0.section.hasPrefix("Dense layer") }
        #expect(
            Set(products.compactMap(\.place))
                == ["forward product", "input gradient", "weight gradient"])
        #expect(products.allSatisfy { $0.what == "128 × 784 × 128" && $0.unit == "GFLOP/s" })
        // A time and a rate of one figure say the same.
        for line in products {
            let numbers = line.what.split(separator: " × ").compactMap { Double($0) }
            let microseconds = try #require(line.microseconds)
            let operations = 2 * numbers.reduce(1, *)
            #expect(abs(operations / microseconds * 1e-3 / line.value - 1) < 1e-6)
        }
        // No product is faster than the peak: a loop that was left out would be.
        for line in products where line.against == "peak" {
            let (peak, ratio) = (try #require(line.againstValue), try #require(line.ratio))
            #expect(ratio < 1.05, "\(line.what): \(line.value) of \(peak) GFLOP/s")
            #expect(peak < 1_000, "\(peak) GFLOP/s are more than any core has")
        }
    }

    @Test func codec() throws {
        let lines = try BenchRun(["codec", "--floats", "5000"], command: "codec").lines
        #expect(lines.map(\.what).contains("decode and check"))
        #expect(lines.contains { $0.what == "checksum, baseline" && $0.against == "memcpy" })
    }

    @Test(arguments: ["ipc", "tcp"])
    func transportOfSeveralShapes(transport: String) throws {
        let lines = try BenchRun(
            [
                "transport", "--workers", "2,3", "--servers", "1,2,colocated", "--floats", "1001",
                "--transport", transport,
            ], command: "transport"
        ).lines
        let shapes = lines.filter { $0.section.hasSuffix("over \(transport)") }
        #expect(
            shapes.map(\.what) == [
                "2 workers, 1 server, 1001 floats", "2 workers, 2 servers, 1001 floats",
                "2 workers, colocated servers, 1001 floats", "3 workers, 1 server, 1001 floats",
                "3 workers, 2 servers, 1001 floats", "3 workers, colocated servers, 1001 floats",
            ])
        #expect(lines.allSatisfy { $0.unit == "µs" && $0.against == nil })
        let better = lines.filter { $0.section.contains("better placement") }
        for (line, workers) in zip(better, [2, 3]) {
            let alike = shapes.filter { $0.what.hasPrefix("\(workers) workers") }
            #expect(line.what == "\(workers) workers, 1001 floats")
            #expect(line.value == alike.map(\.value).min())
        }
        #expect(better.count == 2)
    }

    @Test func stepsInAllPlacements() throws {
        let data = try BenchDigits()
        let lines = try BenchRun(
            ["step", "--batch-sizes", "128", "--input", "mnist,inverted"], data: data.path,
            command: "step"
        ).lines
        let rates = lines.filter { $0.unit == "examples/s" && $0.against == nil }
        #expect(Set(rates.map(\.section)).count == 6)
        #expect(
            lines.filter { $0.against == "one thread" }.map(\.what) == [
                "two threads, batch 128", "two workers, batch 128",
                "two threads, batch 128, inverted MNIST",
                "two workers, batch 128, inverted MNIST",
            ])
        let floor = try #require(lines.last)
        #expect(floor.against == "floor" && floor.what == "128, inverted MNIST")
        // A goal is one input's, and one net's.
        let workers = lines.filter { $0.row == "two-workers-one-thread" }
        #expect(workers.map(\.what) == ["two workers, batch 128"])
        #expect(workers.first?.goal == "≥ 1.2×")
    }

    @Test func oddShapesHaveNoGoals() throws {
        let data = try BenchDigits()
        let lines = try BenchRun(
            [
                "step", "--layers", "784,33,10", "--micro-batch", "7", "--batch-sizes", "96",
                "--input", "zeros50",
            ], data: data.path, command: "step"
        ).lines
        #expect(
            lines.first?.section
                == "One process, one thread: 50 % zeros, layers 784-33-10, micro-batch 7")
        #expect(lines.allSatisfy { $0.goal == nil })
    }

    @Test func seedsScripts() throws {
        let data = try BenchDigits()
        let lines = try BenchRun(["keras", "--epochs", "1"], data: data.path, command: "keras")
            .lines
        #expect(
            lines.map(\.what)
                == ["mse-tanh", "ce-softmax"].flatMap {
                    ["\($0), training", "\($0), start to end", "\($0), test accuracy"]
                })
    }

    @Test func scalingIsATableAndADrawing() throws {
        let data = try BenchDigits()
        let folder = try TemporaryFolder()
        let drawing = folder.path("scaling.svg")
        let lines = try BenchRun(
            [
                "scaling", "--counts", "2", "--batch-size", "256", "--batch-each", "64",
                "--output", drawing,
            ], data: data.path, command: "scaling"
        ).lines
        #expect(
            lines.map { "\($0.section): \($0.what)" }
                == ["workers", "threads"].flatMap { axis in
                    [
                        "Strong scaling over \(axis), batch 256 in all",
                        "Weak scaling over \(axis), batch 64 each",
                    ]
                    .flatMap { title in ["1", "2"].map { "\(title): \($0)" } }
                })
        // Perfect is the count times the first; the first is that of itself.
        for pair in stride(from: 0, to: lines.count, by: 2) {
            #expect(lines[pair].ratio == 1)
            #expect(lines[pair + 1].againstValue == lines[pair].value * 2)
        }
        let text = String(decoding: try folder.read("scaling.svg"), as: UTF8.self)
        for word in ["<svg", "workers, strong", "threads, weak", "perfect scaling"] {
            #expect(text.contains(word), "\(word) is drawn")
        }
    }

    @Test(arguments: [
        (["transport", "--workers", "0"], "--workers"), (["step", "--rounds", "0"], "--rounds"),
        (["transport", "--servers", "9", "--floats", "8"], "--servers"),
        (["transport", "--servers", "colocated", "--workers", "1"], "--servers"),
        (["transport", "--servers", "some"], "--servers"),
        (["transport", "--quick", "--peers", "/nowhere"], "--peers"),
        (["step", "--input", "grey"], "--input"), (["step", "--input", "mnist,"], "--input"),
        (["step", "--layers", "100,10"], "--layers"), (["step", "--layers", "784,9"], "--layers"),
        (["step", "--micro-batch", "0"], "--micro-batch"),
        (["step", "--preset", "mse"], "--preset"),
        (["scaling", "--counts", "1"], "--counts"), (["scaling", "--over", "time"], "--over"),
        (["scaling", "--over", "hosts", "--counts", "9"], "--counts"),
        (["hosts", "--hosts", "1"], "--hosts"), (["hosts", "--hosts", "2,9"], "--hosts"),
        (["hosts", "--rate", "1"], "--rate"), (["hosts", "--rate", "0gbit"], "--rate"),
        (["hosts", "--examples", "0"], "--examples"),
    ])
    func whatCannotBeMeasuredIsNamed(arguments: [String], name: String) throws {
        let run = try ToolRun(BenchRun.program, arguments)
        #expect(run.status == 64)
        #expect(run.output.contains(name), "\(run.output)")
    }

    @Test(arguments: [
        "kernels", "codec", "transport", "step", "keras", "hosts", "scaling", "goals", "all",
    ])
    func helpHasExamples(command: String) throws {
        let run = try ToolRun(BenchRun.program, [command, "--help"])
        #expect(run.status == 0)
        #expect(run.output.contains("Examples:"))
        #expect(run.output.contains("lockstep-bench \(command)"))
    }
}
