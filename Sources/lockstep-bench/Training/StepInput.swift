import ArgumentParser
import Datasets
import RandomNumbers

/// What whole steps are measured on: a speed that needs 81 % zeros is not a speed.
enum StepInput: String, CaseIterable, Sendable, ExpressibleByArgument {
    /// The data as it is; of MNIST's pixels 81 % are zero.
    case mnist
    /// 255 − x: nearly no zeros.
    case inverted
    /// The data as it is, and a wide net.
    case wide
    /// Inverted, with so many percent of the pixels zero, at random places.
    case zeros30, zeros50, zeros70

    static let seedLayers = [784, 128, 10]

    /// The widths of the net, unless others are asked for.
    var layers: [Int] {
        switch self {
        case .wide: [784, 1024, 1024, 10]
        case .mnist, .inverted, .zeros30, .zeros50, .zeros70: Self.seedLayers
        }
    }

    /// The input whose files this one reads.
    var pixels: StepInput { self == .wide ? .mnist : self }

    var words: String {
        switch self {
        case .mnist: "MNIST"
        case .inverted: "inverted MNIST"
        case .wide: "784-1024-1024-10"
        case .zeros30: "30 % zeros"
        case .zeros50: "50 % zeros"
        case .zeros70: "70 % zeros"
        }
    }

    private var zeroPercent: UInt32? {
        switch self {
        case .mnist, .inverted, .wide: nil
        case .zeros30: 30
        case .zeros50: 50
        case .zeros70: 70
        }
    }

    /// Changes the pixels of one file's images; the places of zeros are the same in every run.
    func change(_ pixels: inout ArraySlice<UInt8>, of part: DatasetPart) {
        if self.pixels == .mnist { return }
        for index in pixels.indices { pixels[index] = 255 - pixels[index] }
        guard let zeroPercent else { return }
        let file = DatasetPart.allCases.firstIndex(of: part) ?? 0
        // The purpose is another than that of the digits' own stream: the index is far beyond it.
        var random = Philox(
            seed: UInt64(zeroPercent), purpose: .syntheticDigits, index: 1 << 40 + UInt64(file))
        for index in pixels.indices where random.integer(below: 100) < zeroPercent {
            pixels[index] = 0
        }
    }
}
