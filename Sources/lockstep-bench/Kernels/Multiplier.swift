import ArgumentParser
import Glibc
import LockstepProtocol
import NeuralNetwork

/// OpenBLAS with one core type, in a process of its own that times products on request.
final class Multiplier {
    let coreType: String
    private let child: Child

    /// - Parameter coreType: what to force; nil for what the library finds.
    private init(forcing coreType: String?, _ folder: TemporaryFolder) throws {
        child = try Child(
            [Tools.own, "multiplier"],
            environment: [
                "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": coreType,
            ], folder: folder)
        self.coreType = try child.readLine(seconds: 20)
    }

    /// Seconds a call, in one sample.
    func sample(_ product: Product) throws -> Double {
        try child.write(line: product.request)
        let line = try child.readLine(seconds: 60)
        guard let time = Double(line) else {
            throw BenchError(.internalError, "a process with OpenBLAS answered: \(line)")
        }
        return time
    }

    /// The library as it comes first, then with each core type that it did not find by itself.
    ///
    /// - Returns: none where there is no OpenBLAS.
    static func all(_ folder: TemporaryFolder, notes: inout [String]) throws -> [Multiplier] {
        let first: Multiplier
        do {
            first = try Multiplier(forcing: nil, folder)
        } catch {
            notes.append("OpenBLAS is left out: there is no libopenblas.so.0.")
            return []
        }
        var multipliers = [first]
        for name in candidates where !multipliers.contains(where: { $0.coreType == name }) {
            // A build of the library need not know all of them.
            guard let other = try? Multiplier(forcing: name, folder),
                !multipliers.contains(where: { $0.coreType == other.coreType })
            else { continue }
            multipliers.append(other)
        }
        let types = multipliers.map(\.coreType).joined(separator: ", ")
        notes.append("OpenBLAS with the core types \(types). Best sample, the sides in turn.")
        return multipliers
    }

    /// Core types whose instructions this processor has.
    private static var candidates: [String] {
        #if arch(x86_64)
            (KernelVariant.avx512.isSupported ? ["SkylakeX", "Cooperlake"] : [])
                + (KernelVariant.avx2.isSupported ? ["Haswell", "Zen"] : [])
        #else
            []
        #endif
    }
}

/// The process of a `Multiplier`: prints its core type, then for each product on standard input
/// seconds a call.
struct MultiplierCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "multiplier", shouldDisplay: false)

    func run() throws {
        guard let library = OpenBLAS() else {
            throw BenchError(.unavailable, "there is no libopenblas.so.0")
        }
        answer(library.coreType)
        var operands: ProductOperands?
        while let line = readLine() {
            guard let product = Product(request: line) else {
                throw BenchError(.usage, "'\(line)' is not a product")
            }
            let matrices: ProductOperands
            if let last = operands, last.product == product {
                matrices = last
            } else {
                matrices = ProductOperands(product)
                // The first call of a shape makes the library's buffers.
                library.multiply(matrices)
                operands = matrices
            }
            let timed = Timed(calls: product.callsPerSample) { library.multiply(matrices) }
            answer("\(timed.sample())")
        }
    }

    private func answer(_ line: String) {
        print(line)
        fflush(nil)
    }
}
