// Simulates runs whose truth is known, and prints how often each interval of `Statistics` holds it
// and how often each test rejects it. A line each: kind, name, rate.
//
// Usage: interval-coverage [REPETITIONS]

let repetitions = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 2_000

for (index, scenario) in Scenario.all.enumerated() {
    let hits = (0..<repetitions).count { repetition in
        var random = SimulatedRandom(scenario: index, repetition: repetition)
        return scenario.trial(&random)
    }
    print("\(scenario.kind)\t\(scenario.name)\t\(Double(hits) / Double(repetitions))")
}
