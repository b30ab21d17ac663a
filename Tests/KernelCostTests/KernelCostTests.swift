import Foundation
import NeuralNetwork
import Synchronization
import TestSupport
import Testing

/// The instructions of every kernel are those that are recorded: a guard of speed that does not
/// depend on how fast, or how busy, the machine is.
@Suite struct KernelCostTests {
    private static let command = "Scripts/record-instructions"
    private static let isRecording =
        ProcessInfo.processInfo.environment["LOCKSTEP_RECORD_INSTRUCTIONS"] != nil

    /// All that is run, what takes longest first.
    private static let runs = InstructionTable.variants.flatMap { variant in
        CountedRun.Input.allCases.reversed().map { (input: $0, variant: variant) }
    }

    private static let recorded: Result<InstructionTable, any Error> = Result {
        try InstructionTable(String(contentsOf: InstructionTable.file, encoding: .utf8))
    }
    private static let recordedCompiler = (try? recorded.get().compiler) ?? ""

    /// Version and target, as the compiler gives them.
    private static let compiler: String = {
        guard let swift = ToolRun.find("swift"), let run = try? ToolRun(swift, ["--version"]) else {
            return "none"
        }
        return ["Swift version", "Target"].compactMap { head in
            run.standardOutput.split(separator: "\n").compactMap { line in
                line.range(of: head).map { String(line[$0.lowerBound...]) }
            }.first
        }.joined(separator: ", ")
    }()

    /// Counted once, two runs at a time.
    private static let found: Result<InstructionTable, any Error> = Result {
        let done = Mutex<[Int: Result<CountedRun, any Error>]>([:])
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 2) { _ in
            while case let index = next.add(1, ordering: .relaxed).oldValue, index < runs.count {
                let run = Result { try CountedRun(runs[index].input, runs[index].variant) }
                done.withLock { $0[index] = run }
            }
        }
        var table = InstructionTable(compiler: compiler, lines: [:])
        // What an earlier input has takes the place of what a later one has.
        for (index, (input, variant)) in runs.enumerated() {
            let run = try done.withLock { try $0[index]?.get() }
            for (kernel, count) in run?.instructions ?? [:] where kernels.contains(kernel) {
                var line =
                    table.lines[kernel] ?? InstructionTable.Line(input: input, instructions: [:])
                line.input = input
                line.instructions[variant] = count
                table.lines[kernel] = line
            }
        }
        return table
    }

    /// The members of the set.
    private static let kernels = Set(
        Mirror(reflecting: KernelSet(.baseline)).children.compactMap(\.label)
    ).subtracting(["variant"])

    private static let canCount = CountedRun.valgrind != nil && KernelVariant.avx2.isSupported
    private static let needs =
        "not counted: needs valgrind (Debian package valgrind) and a CPU with AVX2"

    @Test(.enabled(if: canCount, "\(needs)"))
    func everyKernelIsCounted() throws {
        let table = try Self.found.get()
        #expect(Self.kernels.count > 30)
        #expect(Self.kernels.subtracting(table.lines.keys).sorted() == [])
        for (kernel, line) in table.lines {
            #expect(
                Set(line.instructions.keys) == Set(InstructionTable.variants), "\(kernel)")
        }
    }

    @Test(
        .enabled(if: canCount, "\(needs)"), .disabled(if: isRecording, "being recorded"),
        .enabled(
            if: recordedCompiler == compiler,
            "not compared: recorded with \(recordedCompiler), this is \(compiler); \(command) records"
        ))
    func theInstructionsAreTheRecordedOnes() throws {
        let differences = InstructionTable.differences(
            recorded: try Self.recorded.get(), found: try Self.found.get())
        for difference in differences {
            Issue.record("\(difference). If it is meant, \(Self.command) records it.")
        }
    }

    @Test(.enabled(if: isRecording && canCount, "\(command) records"))
    func record() throws {
        var table = try Self.found.get()
        if let old = try? Self.recorded.get() { table = table.recorded(over: old) }
        try table.text.write(to: InstructionTable.file, atomically: true, encoding: .utf8)
    }

    @Test(.enabled(if: !isRecording))
    func theFileIsAsItIsWritten() throws {
        let text = try String(contentsOf: InstructionTable.file, encoding: .utf8)
        let table = try InstructionTable(text)
        #expect(table.text == text)
        #expect(table.lines.keys.sorted() == Self.kernels.sorted())
    }

    // MARK: The parts

    private static func table(_ figures: [String: Double]) -> InstructionTable {
        InstructionTable(
            compiler: "one",
            lines: figures.mapValues {
                .init(input: .sparse, instructions: [.baseline: 100, .avx2: $0])
            })
    }

    @Test func fivePerCentEitherWayIsNoDifference() {
        func differences(_ old: [String: Double], _ new: [String: Double]) -> [String] {
            InstructionTable.differences(recorded: Self.table(old), found: Self.table(new))
        }
        #expect(differences(["a": 100, "b": 100], ["a": 104.9, "b": 95.1]).isEmpty)
        #expect(
            differences(["a": 100, "b": 100], ["a": 106, "b": 94]) == [
                "a, avx2: recorded 100.0 instructions, found 106.0 (+6.0 %)",
                "b, avx2: recorded 100.0 instructions, found 94.0 (-6.0 %)",
            ])
        #expect(differences(["a": 100], ["b": 100]).count == 2)
    }

    @Test func whatHardlyMovesStaysAsItWas() {
        let old = Self.table(["a": 100, "b": 100])
        let new = Self.table(["a": 100.9, "b": 102])
        #expect(new.recorded(over: old) == Self.table(["a": 100, "b": 102]))
        var other = old
        other.compiler = "two"
        #expect(new.recorded(over: other) == new)
    }

    @Test func callsFromWithinTheModuleAreNotCountedTwice() {
        let profile = """
            fn=(1) main
            0 10
            cfn=(2) $s7Kernels9transposeyySPySfG_S2iSpySfGSitF
            calls=2 0
            0 500
            cfn=(2)
            calls=1 0
            0 30

            fn=(2)
            0 130
            cfn=(3) $s7Kernels9transposeyySPySfG_S2iSpySfGSitFTf4nn_n
            calls=3 0
            0 400
            cfn=(4) fmaf
            calls=3 0
            0 50
            """
        #expect(CountedRun.inclusiveCounts(profile, module: "Kernels") == ["transpose": 530])
        #expect(CountedRun.inclusiveCounts(profile, module: "KernelsAVX2").isEmpty)
    }
}
