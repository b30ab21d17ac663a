import LockstepSimulator
import Synchronization
import Testing

/// The real machines under faults. `Scripts/simulate` runs many more seeds.
@Suite(.serialized) struct SimulationTests {
    @Test func everySeedKeepsThePromises() {
        let summary = Campaign(seeds: 1...600, threads: 2).run()
        #expect(summary.seeds == 600)
        for failure in summary.failures {
            Issue.record("seed \(failure.seed): \(failure.problems)")
        }
        #expect(summary.fewestSteps >= Scenario.minimumSteps)
        #expect(summary.fewestFaults >= Scenario.minimumFaults)
    }

    @Test(arguments: PlantedFault.allCases)
    func aPlantedFaultIsFound(fault: PlantedFault) {
        let summary = Campaign(seeds: 1...2_000, threads: 2)
            .run(distortions: { fault.distortions() }, stopsAtFailure: true)
        #expect(summary.failureCount > 0, "\(fault) stays hidden for 2,000 seeds")
    }

    @Test func aSeedReplaysExactly() {
        func conversation() -> [String] {
            let lines = Mutex<[String]>([])
            _ = Simulation(seed: 11) { line in lines.withLock { $0.append(line) } }.run()
            return lines.withLock { $0 }
        }
        let first = conversation()
        #expect(first.count > 300)
        #expect(first == conversation())
        #expect(first.contains { $0.contains("fault: ") })
        #expect(first.contains { $0.contains("push ") && $0.contains("→") })
    }
}
