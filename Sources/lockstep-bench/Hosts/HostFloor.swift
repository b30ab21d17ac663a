import Datasets
import Foundation
import TerminalText

/// What a step of several hosts on this machine takes at least, whoever programmed it: its bytes on
/// each link; and where hosts share cores, what their cores do one thing after the other.
struct HostFloor {
    /// Seconds of a step.
    let wire: Double
    let arithmetic: Double
    /// Through the sockets of this machine, without links; 0 where every host has a core.
    let exchange: Double
    /// Of all messages on all hosts; 0 in the clear and where every host has a core.
    let sealing: Double

    var seconds: Double { max(wire, arithmetic + exchange + sealing) }

    var text: String {
        func milliseconds(_ seconds: Double) -> String { Figures.fixed(seconds * 1e3, 2) + " ms" }
        var work = "the arithmetic of all hosts on this machine's cores \(milliseconds(arithmetic))"
        if exchange > 0 { work += ", the exchange without links \(milliseconds(exchange))" }
        if sealing > 0 { work += ", libsodium's box \(milliseconds(sealing))" }
        return "bytes with their headers take \(milliseconds(wire)); " + work
    }
}

/// Measures the parts of a ``HostFloor``.
struct HostFloors {
    let rate: LinkRate
    /// Of one thread, a second.
    let examplesPerSecond: Double
    /// Of the model, how much a host's push carries: rows that none of its examples touches stay at
    /// home.
    let pushedShare: Double
    let exchange: (_ hosts: Int) throws -> Double

    private static let cores = ProcessInfo.processInfo.activeProcessorCount

    func floor(_ shape: TrainingShape, isSealed: Bool) throws -> HostFloor {
        let hosts = shape.workers
        let cores = min(hosts, Self.cores)
        let model = BareExchange.modelFloats * 4
        let bytes = Double(hosts - 1) / Double(hosts) * (1 + pushedShare) * Double(model)
        let perByte = Sealing.secondsPerByte(messageByteCount: model / hosts)
        let sharesCores = hosts > Self.cores
        return HostFloor(
            wire: rate.seconds(bytes) * LinkFloor.headerFactor,
            arithmetic: Double(shape.batchSize) / (Double(cores) * examplesPerSecond),
            exchange: sharesCores ? try exchange(hosts) : 0,
            sealing: sharesCores && isSealed
                ? Double(hosts) * bytes * perByte / Double(cores) : 0)
    }
}

extension BenchData {
    /// Of the input layer's rows and the rest of the model, how much the examples of a host touch.
    func pushedShare(examplesPerHost: Int) -> Double {
        let (pixels, width) = (dataset.train.pixels, Self.pixelCount)
        var (used, groups) = (0, 0)
        for first in stride(from: 0, to: dataset.train.count - examplesPerHost, by: examplesPerHost)
        where groups < 50 {
            groups += 1
            let start = pixels.startIndex + first * width
            used += (0..<width).count { column in
                (0..<examplesPerHost).contains { pixels[start + $0 * width + column] != 0 }
            }
        }
        guard groups > 0 else { return 1 }
        let first = Double(width * Self.firstLayerOutputs)
        let rest = Double(BareExchange.modelFloats) - first
        let share = Double(used) / Double(groups * width)
        return (share * first + rest) / (first + rest)
    }

    private static let pixelCount = StepInput.seedLayers[0]
    private static let firstLayerOutputs = StepInput.seedLayers[1]
}
