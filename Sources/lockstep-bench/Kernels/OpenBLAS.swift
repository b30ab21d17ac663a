import Glibc
import NeuralNetwork

/// The system's OpenBLAS, loaded while the program runs.
@safe struct OpenBLAS {
    private typealias Multiply =
        @convention(c) (
            CInt, CInt, CInt, CInt, CInt, CInt, Float, UnsafePointer<Float>, CInt,
            UnsafePointer<Float>, CInt, Float, UnsafeMutablePointer<Float>, CInt
        ) -> Void
    private typealias CoreName = @convention(c) () -> UnsafePointer<CChar>?

    private let multiply: Multiply
    /// The core type that it found, or that `OPENBLAS_CORETYPE` forced.
    let coreType: String

    private static let names = ["libopenblas.so.0", "libopenblas.so"]
    private static let rowMajor: CInt = 101
    private static let notTransposed: CInt = 111

    /// - Returns: nil where there is none.
    init?() {
        // The library stays: the process ends with its use.
        let handle = unsafe Self.names.lazy.compactMap { unsafe dlopen($0, RTLD_NOW) }.first
        guard let handle = unsafe handle, let multiply = unsafe dlsym(handle, "cblas_sgemm") else {
            return nil
        }
        unsafe self.multiply = unsafe unsafeBitCast(multiply, to: Multiply.self)
        guard let name = unsafe dlsym(handle, "openblas_get_corename"),
            let text = unsafe unsafeBitCast(name, to: CoreName.self)()
        else {
            coreType = "unknown"
            return
        }
        coreType = unsafe String(cString: text)
    }

    func multiply(_ operands: ProductOperands) {
        let product = operands.product
        let (m, n, k) = (CInt(product.examples), CInt(product.outputs), CInt(product.inputs))
        unsafe multiply(
            Self.rowMajor, Self.notTransposed, Self.notTransposed, m, n, k, 1,
            operands.activations.pointer, k, operands.weights.pointer, n, 0, operands.z.pointer, n)
    }
}
