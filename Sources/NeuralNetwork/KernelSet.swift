package import CVector
import Kernels

#if arch(x86_64)
    import KernelsAVX2
    import KernelsAVX512
#endif

/// The instruction sets that the kernels are compiled for. All give the same bits.
package enum KernelVariant: String, CaseIterable, Sendable {
    case baseline, avx2, avx512

    /// Whether this CPU and this build have it.
    package var isSupported: Bool {
        #if arch(x86_64)
            switch self {
            case .baseline: true
            case .avx2: cpu_has_avx2() != 0
            case .avx512: cpu_has_avx512() != 0
            }
        #else
            self == .baseline
        #endif
    }

    /// The variant that `LOCKSTEP_KERNELS` names, or the fastest that this CPU has.
    package static func selected(environment: [String: String]) throws(KernelVariantError) -> Self {
        guard let name = environment["LOCKSTEP_KERNELS"], !name.isEmpty else {
            return allCases.last(where: \.isSupported) ?? .baseline
        }
        guard let variant = KernelVariant(rawValue: name) else {
            throw KernelVariantError(name: name, isKnown: false)
        }
        guard variant.isSupported else { throw KernelVariantError(name: name, isKnown: true) }
        return variant
    }
}

/// `LOCKSTEP_KERNELS` names kernels that do not exist or that this CPU cannot run.
package struct KernelVariantError: Error, CustomStringConvertible {
    package let name: String
    package let isKnown: Bool

    package var description: String {
        let usable = KernelVariant.allCases.filter(\.isSupported).map(\.rawValue)
            .joined(separator: ", ")
        return isKnown
            ? "LOCKSTEP_KERNELS=\(name): this CPU lacks it; it can run \(usable). Unset the variable to let Lockstep choose."
            : "LOCKSTEP_KERNELS=\(name): no such kernels; this CPU can run \(usable)."
    }
}

/// The kernels of one instruction set, as functions on raw memory. Their contracts are in the
/// target Kernels.
@safe package struct KernelSet: Sendable {
    package let variant: KernelVariant

    package typealias Floats = UnsafePointer<Float>
    package typealias MutableFloats = UnsafeMutablePointer<Float>
    package typealias Bytes = UnsafePointer<UInt8>
    package typealias Ahead = vector_ahead
    package typealias Forward = @Sendable (MutableFloats, Int) -> Void
    package typealias Backward = @Sendable (MutableFloats, Floats, Int) -> Void
    package typealias OutputLayer =
        @Sendable (
            MutableFloats, Int, Int, Int, Bytes, Float, MutableFloats, MutableFloats
        ) -> Void

    package let exponentialForward: Forward
    package let logarithmForward: Forward
    package let tanhForward: Forward
    package let sigmoidForward: Forward
    package let reluForward: Forward
    package let tanhBackward: Backward
    package let sigmoidBackward: Backward
    package let reluBackward: Backward
    package let countOutside: @Sendable (Floats, Int, Int, Int, Float, Float) -> Int
    package let sparseForward:
        @Sendable (
            UnsafePointer<UnsafePointer<UInt16>>, UnsafePointer<Bytes>, UnsafePointer<Int>,
            UnsafeMutablePointer<Int>, Int, Int, Int, Floats, Floats, Floats, Int, MutableFloats,
            Int, Ahead
        ) -> Void
    package let sparseForwardBytes:
        @Sendable (
            UnsafePointer<Bytes>, Int, Int, Int, Floats, Floats, Floats, Int, MutableFloats, Int,
            Ahead
        ) -> Void
    package let sparseScatter:
        @Sendable (UnsafePointer<UInt16>, Bytes, Int, UnsafeMutablePointer<UInt8>, Int) -> Void
    package let sparseWeightGradient:
        @Sendable (
            Int, Int, Bytes, Int, Int, Int, Int, Floats, Floats, Int, Int, MutableFloats,
            MutableFloats, UnsafeMutableRawPointer
        ) -> Void
    package let areFinite: @Sendable (Floats, Int) -> Bool
    package let countNonzero: @Sendable (Bytes, Int) -> Int
    package let denseInputForward:
        @Sendable (
            UnsafePointer<Bytes>, Int, Int, Int, Floats, Floats, Floats, Int, MutableFloats, Int,
            Ahead
        ) -> Void
    package let denseInputGradient:
        @Sendable (
            Int, Int, Bytes, Int, Int, Int, Int, Floats, Floats, Int, Int, MutableFloats,
            MutableFloats, MutableFloats
        ) -> Void
    package let transposePixels:
        @Sendable (UnsafePointer<Bytes>, Int, Int, UnsafeMutablePointer<UInt8>, Int) -> Void
    package let denseForward:
        @Sendable (Floats, Int, Int, Int, Floats, Int, Floats?, Int, MutableFloats, Int) -> Void
    package let transpose: @Sendable (Floats, Int, Int, MutableFloats, Int) -> Void
    package let denseWeightGradient:
        @Sendable (
            Int, Int, Floats, Int, Floats, Int, Int, Int, Int, MutableFloats, MutableFloats,
            MutableFloats
        ) -> Void
    package let biasGradient:
        @Sendable (
            Floats, Int, Int, Int, Int, MutableFloats, MutableFloats, MutableFloats
        ) -> Void
    package let sumOfSquares: @Sendable (Floats, Int) -> Float
    package let softmaxCrossEntropy: OutputLayer
    package let softmaxMeanSquaredError: OutputLayer
    package let sigmoidCrossEntropy: OutputLayer
    package let meanSquaredError: OutputLayer
    package let decide: @Sendable (Floats, Int, Int, Int, Bool, UnsafeMutablePointer<UInt8>) -> Void
    package let foldPair:
        @Sendable (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void
    package let copyFloats: @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void
    package let squaredNorms:
        @Sendable (UnsafeRawPointer, Int, Int, UnsafeMutableRawPointer) -> Void
    package let checksum: @Sendable (UnsafeRawPointer, Int) -> UInt64
    package let digest: @Sendable (UnsafeRawPointer, Int, Int) -> UInt64
    package let adam:
        @Sendable (
            Int, UnsafeRawPointer, Float, Float, Float, Floats, UnsafeMutableRawPointer,
            MutableFloats, MutableFloats
        ) -> Bool
    package let measuredAdam:
        @Sendable (
            Int, Int, UnsafeRawPointer, Float, Float, Float, Floats, UnsafeMutableRawPointer,
            MutableFloats, MutableFloats, UnsafeMutableRawPointer, Int
        ) -> (isFinite: Bool, digest: UInt64)
    package let gradientDescent:
        @Sendable (
            Int, UnsafeRawPointer, Float, Float, Float, Floats, UnsafeMutableRawPointer
        ) -> Bool
    package let momentum:
        @Sendable (
            Int, UnsafeRawPointer, Float, Float, Float, Bool, Floats, UnsafeMutableRawPointer,
            MutableFloats
        ) -> Bool
}

extension KernelSet {
    /// - Precondition: this CPU has the variant.
    package init(_ variant: KernelVariant) {
        precondition(variant.isSupported, "this CPU lacks \(variant.rawValue)")
        switch variant {
        case .baseline:
            unsafe self.init(
                variant: .baseline,
                exponentialForward: Kernels.exponentialForward,
                logarithmForward: Kernels.logarithmForward,
                tanhForward: Kernels.tanhForward,
                sigmoidForward: Kernels.sigmoidForward,
                reluForward: Kernels.reluForward,
                tanhBackward: Kernels.tanhBackward,
                sigmoidBackward: Kernels.sigmoidBackward,
                reluBackward: Kernels.reluBackward,
                countOutside: Kernels.countOutside,
                sparseForward: Kernels.sparseForward,
                sparseForwardBytes: Kernels.sparseForwardBytes,
                sparseScatter: Kernels.sparseScatter,
                sparseWeightGradient: Kernels.sparseWeightGradient,
                areFinite: Kernels.areFinite,
                countNonzero: Kernels.countNonzero,
                denseInputForward: Kernels.denseInputForward,
                denseInputGradient: Kernels.denseInputGradient,
                transposePixels: Kernels.transposePixels,
                denseForward: Kernels.denseForward,
                transpose: Kernels.transpose,
                denseWeightGradient: Kernels.denseWeightGradient,
                biasGradient: Kernels.biasGradient,
                sumOfSquares: Kernels.sumOfSquares,
                softmaxCrossEntropy: Kernels.softmaxCrossEntropy,
                softmaxMeanSquaredError: Kernels.softmaxMeanSquaredError,
                sigmoidCrossEntropy: Kernels.sigmoidCrossEntropy,
                meanSquaredError: Kernels.meanSquaredError,
                decide: Kernels.decide,
                foldPair: Kernels.foldPair,
                copyFloats: Kernels.copyFloats,
                squaredNorms: Kernels.squaredNorms,
                checksum: Kernels.checksum,
                digest: Kernels.digest,
                adam: Kernels.adam,
                measuredAdam: Kernels.measuredAdam,
                gradientDescent: Kernels.gradientDescent,
                momentum: Kernels.momentum)
        #if arch(x86_64)
            case .avx2:
                unsafe self.init(
                    variant: .avx2,
                    exponentialForward: KernelsAVX2.exponentialForward,
                    logarithmForward: KernelsAVX2.logarithmForward,
                    tanhForward: KernelsAVX2.tanhForward,
                    sigmoidForward: KernelsAVX2.sigmoidForward,
                    reluForward: KernelsAVX2.reluForward,
                    tanhBackward: KernelsAVX2.tanhBackward,
                    sigmoidBackward: KernelsAVX2.sigmoidBackward,
                    reluBackward: KernelsAVX2.reluBackward,
                    countOutside: KernelsAVX2.countOutside,
                    sparseForward: KernelsAVX2.sparseForward,
                    sparseForwardBytes: KernelsAVX2.sparseForwardBytes,
                    sparseScatter: KernelsAVX2.sparseScatter,
                    sparseWeightGradient: KernelsAVX2.sparseWeightGradient,
                    areFinite: KernelsAVX2.areFinite,
                    countNonzero: KernelsAVX2.countNonzero,
                    denseInputForward: KernelsAVX2.denseInputForward,
                    denseInputGradient: KernelsAVX2.denseInputGradient,
                    transposePixels: KernelsAVX2.transposePixels,
                    denseForward: KernelsAVX2.denseForward,
                    transpose: KernelsAVX2.transpose,
                    denseWeightGradient: KernelsAVX2.denseWeightGradient,
                    biasGradient: KernelsAVX2.biasGradient,
                    sumOfSquares: KernelsAVX2.sumOfSquares,
                    softmaxCrossEntropy: KernelsAVX2.softmaxCrossEntropy,
                    softmaxMeanSquaredError: KernelsAVX2.softmaxMeanSquaredError,
                    sigmoidCrossEntropy: KernelsAVX2.sigmoidCrossEntropy,
                    meanSquaredError: KernelsAVX2.meanSquaredError,
                    decide: KernelsAVX2.decide,
                    foldPair: KernelsAVX2.foldPair,
                    copyFloats: KernelsAVX2.copyFloats,
                    squaredNorms: KernelsAVX2.squaredNorms,
                    checksum: KernelsAVX2.checksum,
                    digest: KernelsAVX2.digest,
                    adam: KernelsAVX2.adam,
                    measuredAdam: KernelsAVX2.measuredAdam,
                    gradientDescent: KernelsAVX2.gradientDescent,
                    momentum: KernelsAVX2.momentum)
            case .avx512:
                unsafe self.init(
                    variant: .avx512,
                    exponentialForward: KernelsAVX512.exponentialForward,
                    logarithmForward: KernelsAVX512.logarithmForward,
                    tanhForward: KernelsAVX512.tanhForward,
                    sigmoidForward: KernelsAVX512.sigmoidForward,
                    reluForward: KernelsAVX512.reluForward,
                    tanhBackward: KernelsAVX512.tanhBackward,
                    sigmoidBackward: KernelsAVX512.sigmoidBackward,
                    reluBackward: KernelsAVX512.reluBackward,
                    countOutside: KernelsAVX512.countOutside,
                    sparseForward: KernelsAVX512.sparseForward,
                    sparseForwardBytes: KernelsAVX512.sparseForwardBytes,
                    sparseScatter: KernelsAVX512.sparseScatter,
                    sparseWeightGradient: KernelsAVX512.sparseWeightGradient,
                    areFinite: KernelsAVX512.areFinite,
                    countNonzero: KernelsAVX512.countNonzero,
                    denseInputForward: KernelsAVX512.denseInputForward,
                    denseInputGradient: KernelsAVX512.denseInputGradient,
                    transposePixels: KernelsAVX512.transposePixels,
                    denseForward: KernelsAVX512.denseForward,
                    transpose: KernelsAVX512.transpose,
                    denseWeightGradient: KernelsAVX512.denseWeightGradient,
                    biasGradient: KernelsAVX512.biasGradient,
                    sumOfSquares: KernelsAVX512.sumOfSquares,
                    softmaxCrossEntropy: KernelsAVX512.softmaxCrossEntropy,
                    softmaxMeanSquaredError: KernelsAVX512.softmaxMeanSquaredError,
                    sigmoidCrossEntropy: KernelsAVX512.sigmoidCrossEntropy,
                    meanSquaredError: KernelsAVX512.meanSquaredError,
                    decide: KernelsAVX512.decide,
                    foldPair: KernelsAVX512.foldPair,
                    copyFloats: KernelsAVX512.copyFloats,
                    squaredNorms: KernelsAVX512.squaredNorms,
                    checksum: KernelsAVX512.checksum,
                    digest: KernelsAVX512.digest,
                    adam: KernelsAVX512.adam,
                    measuredAdam: KernelsAVX512.measuredAdam,
                    gradientDescent: KernelsAVX512.gradientDescent,
                    momentum: KernelsAVX512.momentum)
        #else
            case .avx2, .avx512:
                preconditionFailure("\(variant.rawValue) is for x86-64 only")
        #endif
        }
    }
}

extension KernelSet {
    /// The checksum of frames on their way.
    package func checksum(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = bytes.baseAddress else {
            return unsafe withUnsafeBytes(of: 0 as UInt8) { byte in
                unsafe byte.baseAddress.map { unsafe checksum($0, 0) } ?? 0
            }
        }
        return unsafe checksum(start, bytes.count)
    }

    /// The digest of weights that stand from place `first` on in the flat vector: parts add up,
    /// modulo 2⁶⁴, to that of the whole.
    package func digest(of weights: UnsafeRawPointer, count: Int, from first: Int) -> UInt64 {
        unsafe digest(weights, count, first)
    }

    /// Examples that a kernel asks the memory for beside its work.
    ///
    /// - Parameters:
    ///   - starts: an array of pointers to them.
    ///   - part: of each example, one of so many `parts` of its lines.
    static func ahead(
        _ starts: UnsafeRawPointer, _ entryCounts: UnsafePointer<Int>, _ bytesPerEntry: Int,
        count: Int, part: Int, of parts: Int
    ) -> Ahead {
        unsafe Ahead(
            examples: starts.assumingMemoryBound(to: UnsafeRawPointer?.self),
            entry_counts: entryCounts, bytes_per_entry: bytesPerEntry, count: count, part: part,
            parts: parts)
    }

    /// Nothing to ask for.
    package static var nothingAhead: Ahead { unsafe Ahead() }

    /// Asks for bytes that are read soon.
    func prefetch(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        unsafe vector_prefetch(start, bytes.count)
    }

    /// Scratch for `sparseWeightGradient` of any set, with leaves of `leafStride` bytes an input.
    package static func sparseScratch(leafStride: Int) -> FloatBuffer {
        // Room for the deepest tree, most of which a shallow one leaves alone.
        FloatBuffer(
            uninitializedCount: (Kernels.sparseScratchByteCount(leafStride: leafStride) + 3) / 4)
    }

    /// Scratch for the gradients of up to so many examples, of any set.
    package static func foldScratch(examples: Int) -> FloatBuffer {
        FloatBuffer(uninitializedCount: Kernels.foldScratchByteCount(examples: examples) / 4)
    }

    /// sum ← left + right over `count` floats at any alignment: a parent of the reduction tree.
    package func fold(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, into sum: UnsafeMutableRawPointer,
        count: Int
    ) {
        unsafe foldPair(left, right, sum, count)
    }
}
