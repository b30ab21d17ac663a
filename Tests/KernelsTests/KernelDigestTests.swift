import Foundation
import NeuralNetwork
import TestSupport
import Testing

/// One mixed workload of all kernels gives the same bits on every instruction set, on this CPU and
/// on emulated ones that lack the rest.
struct KernelDigestTests {
    private static let tool = ToolRun.buildDirectory.appendingPathComponent("kernel-digest")
    private static let emulator = ToolRun.find("qemu-x86_64") ?? ToolRun.find("qemu-x86_64-static")

    /// The last line only: the emulator may warn before it about parts of the model that it lacks.
    private static func digest(
        _ variant: KernelVariant, emulatedCPU: String? = nil
    ) throws -> (status: Int32, line: String) {
        var (program, arguments) = (tool, [String]())
        if let emulatedCPU, let emulator {
            (program, arguments) = (emulator, ["-cpu", emulatedCPU, tool.path])
        }
        let run = try ToolRun(
            program, arguments, environment: ["LOCKSTEP_KERNELS": variant.rawValue], seconds: 60)
        return (run.status, run.output.split(separator: "\n").last.map(String.init) ?? "")
    }

    private static func reference() throws -> String {
        let (status, line) = try digest(.baseline)
        try #require(status == 0 && line.hasPrefix("baseline "), "kernel-digest printed: \(line)")
        return String(line.dropFirst("baseline ".count))
    }

    @Test(arguments: supportedVariants)
    func variantsAgreeNatively(variant: KernelVariant) throws {
        let (status, line) = try Self.digest(variant)
        #expect(status == 0)
        #expect(line == "\(variant.rawValue) \(try Self.reference())")
    }

    /// The digest in itself, so that the arithmetic of record does not change unnoticed.
    @Test func arithmeticIsTheRecordedOne() throws {
        #expect(try Self.reference() == "6dccc19886276ccc")
    }

    @Test(
        .enabled(if: emulator != nil, "needs qemu-x86_64 (Debian package qemu-user)"),
        arguments: [
            (KernelVariant.baseline, "qemu64"), (.baseline, "Haswell-noTSX"),
            (.avx2, "Haswell-noTSX"),
        ])
    func variantsAgreeOnEmulatedCPUs(variant: KernelVariant, cpu: String) throws {
        let (status, line) = try Self.digest(variant, emulatedCPU: cpu)
        #expect(status == 0)
        #expect(line == "\(variant.rawValue) \(try Self.reference())")
    }

    @Test(
        .enabled(if: emulator != nil, "needs qemu-x86_64 (Debian package qemu-user)"),
        arguments: [
            (KernelVariant.avx2, "qemu64"), (.avx512, "qemu64"), (.avx512, "Haswell-noTSX"),
        ]
    )
    func kernelsThatTheCPULacksAreRefused(variant: KernelVariant, cpu: String) throws {
        let (status, line) = try Self.digest(variant, emulatedCPU: cpu)
        #expect(status == 64)
        #expect(line.hasPrefix("LOCKSTEP_KERNELS=\(variant.rawValue): this CPU lacks it"))
    }
}
