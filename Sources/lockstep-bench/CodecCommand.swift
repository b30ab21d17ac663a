import ArgumentParser
import Foundation
import LockstepProtocol
import NeuralNetwork
import TrainingPlan

/// `lockstep-bench codec`
struct CodecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec",
        abstract: "Frames: headers, checksums and payloads of the model's size.",
        discussion: """
            Checksums are beside memcpy of the same bytes, the speed of memory.

            Examples:
              lockstep-bench codec
              lockstep-bench codec --floats 1000000 --json
            """)

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Floats of a frame; default those of the model.", valueName: "n"))
    var floats = BareExchange.modelFloats

    func validate() throws {
        guard 1...(1 << 28) ~= floats else {
            throw ValidationError("--floats is \(floats); give 1 to 268435456.")
        }
    }

    func run() throws {
        let reporter = try Reporter(options)
        try reporter.show(try CodecMeasurement(floats: floats, isQuick: options.quick).sections())
    }
}

/// What a frame costs beside its bytes' way.
struct CodecMeasurement {
    let floats: Int
    let isQuick: Bool

    func sections() throws -> [Section] { [headers(), try payloads()] }

    private var secondsPerSide: Double { isQuick ? 0.02 : 0.5 }

    private func headers() -> Section {
        let frame = BenchFrame(floatCount: 0)
        let header = FrameHeader(
            .push(BenchFrame.address(7), node: LeafRange(firstLeaf: 0, leafCount: 1)), session: 1,
            incarnation: 1)
        unsafe FrameCodec.encode(header, into: frame.bytes)
        let times = roundTimes(
            [
                Timed(calls: 1_000) { unsafe FrameCodec.encode(header, into: frame.bytes) },
                Timed(calls: 1_000) {
                    // It reads what the other side wrote, and throws if that is damaged.
                    let decoded = try? unsafe FrameCodec.decodeHeader(
                        of: UnsafeRawBufferPointer(frame.bytes))
                    precondition(decoded == header, "a header comes back as it was")
                },
            ], seconds: secondsPerSide)
        var section = Section(title: "Headers", command: "codec", subject: "header")
        section.figures = zip(["encode", "decode and check"], times).map { name, time in
            Figure(name, time.map(.lower) { $0 * 1e9 }, "ns", against: nil)
        }
        return section
    }

    private func payloads() throws -> Section {
        let byteCount = floats * 4
        let (frame, copy) = (BenchFrame(floatCount: floats), BenchFrame(floatCount: floats))
        let variants = KernelVariant.allCases.filter(\.isSupported)
        var sides: [Timed] = []
        var names: [String] = []
        for variant in variants {
            let kernels = KernelSet(variant)
            names.append("checksum, \(variant.rawValue)")
            sides.append(
                Timed(calls: 8) {
                    keep(unsafe kernels.checksum(of: UnsafeRawBufferPointer(frame.payload)))
                })
        }
        let kernels = try KernelSet.selected()
        names += ["seal (checksum, header)", "open (header, checksum)"]
        sides.append(Timed(calls: 8) { frame.seal(.weights(BenchFrame.address(1)), kernels) })
        sides.append(
            Timed(
                calls: 8, prepare: { frame.seal(.weights(BenchFrame.address(1)), kernels) },
                call: {
                    let isWhole =
                        (try? unsafe kernels.verify(UnsafeRawBufferPointer(frame.bytes))) != nil
                    precondition(isWhole, "a frame comes back as it was")
                }))
        sides.append(
            Timed(calls: 8) {
                unsafe copy.payload.copyMemory(from: UnsafeRawBufferPointer(frame.payload))
            })
        let times = roundTimes(sides, seconds: secondsPerSide)
        var section = Section(
            title: "Payloads of \(floats) floats", command: "codec", subject: "what")
        let rates = times.map { $0.map(.higher) { Double(byteCount) / $0 * 1e-9 } }
        let memory = rates[rates.count - 1]
        section.figures = zip(names, rates).map { name, rate in
            Figure(name, rate, "GB/s", against: ("memcpy", memory))
        }
        for index in section.figures.indices { section.figures[index].seconds = times[index].best }
        return section
    }
}

/// Takes a result, so that the call that made it is not left out.
@inline(never)
func keep<Value>(_ value: Value) {}
