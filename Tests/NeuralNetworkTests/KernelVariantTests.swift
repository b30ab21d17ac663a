import NeuralNetwork
import Testing

/// A variant that the CPU lacks is tried under an emulated one, by KernelDigestTests.
struct KernelVariantTests {
    @Test func theFastestIsTheDefault() throws {
        let fastest = KernelVariant.allCases.last(where: \.isSupported)
        #expect(KernelVariant.baseline.isSupported)
        #expect(try KernelVariant.selected(environment: [:]) == fastest)
        #expect(try KernelVariant.selected(environment: ["LOCKSTEP_KERNELS": ""]) == fastest)
    }

    @Test(arguments: KernelVariant.allCases)
    func aNameIsObeyedOrRefused(variant: KernelVariant) throws {
        let choose = {
            try KernelVariant.selected(environment: ["LOCKSTEP_KERNELS": variant.rawValue])
        }
        if variant.isSupported {
            #expect(try choose() == variant)
            #expect(KernelSet(variant).variant == variant)
        } else {
            #expect(throws: KernelVariantError.self) { try choose() }
        }
    }

    @Test(arguments: ["sse9", "AVX2", " avx2"])
    func anUnknownNameIsRefusedWithTheKnownOnes(name: String) throws {
        let error = try #require(throws: KernelVariantError.self) {
            try KernelVariant.selected(environment: ["LOCKSTEP_KERNELS": name])
        }
        #expect(!error.isKnown)
        #expect("\(error)".contains("LOCKSTEP_KERNELS=\(name)"))
        #expect("\(error)".contains("baseline"))
    }
}
