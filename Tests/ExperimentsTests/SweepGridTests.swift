import Experiments
import LockstepRuntime
import Testing
import TrainingPlan

@Suite struct SweepGridTests {
    private func grid(_ arguments: String..., maximumRuns: Int = 1_000) throws -> SweepGrid {
        var grid = SweepGrid(maximumRuns: maximumRuns)
        for argument in arguments { try grid.add(argument: argument) }
        return grid
    }

    @Test func everyCombinationOnceTheLastVariesFastest() throws {
        let points = try grid("loss=mse,cross-entropy", "batch_size=32,128", "seed=3-5").points()
        #expect(points.count == 12)
        #expect(Set(points.map(\.label)).count == 12)
        #expect(
            points.prefix(4).map(\.label) == [
                "loss=mse batch_size=32 seed=3", "loss=mse batch_size=32 seed=4",
                "loss=mse batch_size=32 seed=5", "loss=mse batch_size=128 seed=3",
            ])
    }

    @Test func valuesAreThoseOfTheFlags() throws {
        let points = try grid("layers=784x128x10,784x10", "learning-rate=1e-3").points()
        #expect(
            points[0].settings.map(\.text) == ["784,128,10", "1e-3"]
                && points[1].settings.map(\.text) == ["784,10", "1e-3"])
        #expect(points[0].label == "layers=784x128x10 learning_rate=1e-3")
        #expect(
            try grid("preset=mse-tanh, ce-softmax").points().map(\.label)
                == ["preset=mse-tanh", "preset=ce-softmax"])
        #expect(try grid("seed=7,1-3").points().count == 4)
    }

    @Test(arguments: [
        ("los=mse", "los=mse: unknown setting “los”", "“loss”"),
        ("batchsize=3", "unknown setting “batchsize”", "“batch_size”"),
        ("workers=1,2", "unknown setting “workers”", "nearest"),
        ("loss=sme", "unknown value “sme” of “loss”", "“mse”"),
        ("output_activation=sofmax", "unknown value “sofmax” of “output_activation”", "“softmax”"),
        ("preset=mse_tanh", "unknown value “mse_tanh”", "“mse-tanh”"),
        ("seed=one", "“one” is not a whole number", "1-5"),
        ("seed=5-1", "“5-1” is not a range", "1-5"),
        ("seed=0-1000", "more numbers than a sweep may have runs", "--max-runs"),
        ("seed=0-18446744073709551615", "more numbers", "--max-runs"),
        ("seed=1-99999999999999999999", "not a range", "1-5"),
        ("seed=-1", "“-1” is not a whole number", "32"),
        ("learning-rate=fast", "“fast” is not a number", "0.001"),
        ("learning-rate=nan", "“nan” is not a number", "0.001"),
        ("layers=784,128,10", "“784” is not a list of widths", "784x128x10"),
        ("loss=", "there is no value", "give one"), ("loss=mse,", "there is no value", "give one"),
        ("mse", "this varies nothing", "name=values"),
    ])
    func whatIsNoneIsNamed(argument: String, reason: String, remedy: String) throws {
        let error = try #require(throws: SweepGridError.self) { try grid(argument) }
        #expect("\(error)".hasPrefix("\(argument): "))
        #expect("\(error)".contains(reason) && "\(error)".contains(remedy), "\(error)")
    }

    @Test func emptyAndTooLargeGridsAreRefused() throws {
        let empty = try #require(throws: SweepGridError.self) { try grid().points() }
        #expect("\(empty)".contains("empty"))
        #expect(try grid("seed=1-3", "epochs=1,2", maximumRuns: 6).points().count == 6)
        let large = try #require(throws: SweepGridError.self) {
            try grid("seed=1-3", "epochs=1-2", maximumRuns: 5).points()
        }
        #expect("\(large)".contains("6 runs") && "\(large)".contains("--max-runs is 5"))
        // Their product does not fit into a word.
        let names = [
            "seed", "epochs", "batch_size", "micro_batch", "warmup_steps", "evaluate_every",
            "validation_examples",
        ]
        var huge = SweepGrid(maximumRuns: 1_000)
        for name in names { try huge.add(argument: "\(name)=1-1000") }
        #expect(throws: SweepGridError.self) { try huge.points() }
    }

    @Test func aSettingIsNamedOnce() throws {
        let twice = try #require(throws: SweepGridError.self) {
            try grid("batch_size=1", "batch-size=2")
        }
        #expect("\(twice)".contains("varied twice"))
        var spelled = try grid("seed=1-2")
        #expect(throws: SweepGridError.self) {
            try spelled.addRun([("seed", "1")], place: "here")
        }
    }

    @Test func runsThatAreSpelledOutMeetAllAxes() throws {
        var file = SweepGrid(maximumRuns: 100)
        try file.add("seed", values: ["1-3"], place: "file")
        try file.addRun([("loss", "mse"), ("learning_rate", "0.01")], place: "file")
        try file.addRun([("loss", "cross-entropy")], place: "file")
        #expect(try file.points().count == 6)
        #expect(file.keys == [.loss, .learningRate, .seed])
        // The command line stands in for what the file says.
        var merged = try grid("seed=9", "loss=mse")
        merged.merge(file)
        #expect(
            try merged.points().map(\.label)
                == ["learning_rate=0.01 seed=9 loss=mse", "seed=9 loss=mse"])
    }

    @Test(arguments: [
        ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3),
        ("LOSS", "loss", 0), ("batchsize", "batch-size", 1), ("ca", "abc", 3),
    ])
    func editsAreCounted(a: String, b: String, distance: Int) {
        #expect(NearestName.distance(a, b) == distance)
        #expect(NearestName.distance(b, a) == distance)
    }
}
