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
    var exchange = 0.0
    /// Of all messages on all hosts; 0 where every host has a core.
    var sealing = 0.0

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

    /// With a key, as hosts have one by default.
    func floor(_ shape: TrainingShape) throws -> HostFloor {
        let hosts = shape.workers
        let cores = Double(min(hosts, Self.cores))
        let model = BareExchange.modelFloats * 4
        let link = LinkFloor(hosts: hosts, rate: rate, byteCount: model)
        // Pushes and weights are half of the bytes each.
        let carried = (pushedShare + 1) / 2
        var floor = HostFloor(
            wire: link.seconds * carried * LinkFloor.headerFactor,
            arithmetic: Double(shape.batchSize) / (cores * examplesPerSecond))
        if hosts > Self.cores {
            floor.exchange = try exchange(hosts)
            floor.sealing =
                Double(hosts) * link.bytesEachWay * carried / cores
                * Sealing.secondsPerByte(messageByteCount: model / hosts)
        }
        return floor
    }
}

extension BenchData {
    /// Of the input layer's rows and the rest of the model, how much the examples of a host touch.
    func pushedShare(examplesPerHost: Int) -> Double {
        let (pixels, width) = (dataset.train.pixels, LabelledImages.pixelCount)
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
        let first = Double(width * StepInput.seedLayers[1])
        let rest = Double(BareExchange.modelFloats) - first
        let share = Double(used) / Double(groups * width)
        return (share * first + rest) / (first + rest)
    }
}
