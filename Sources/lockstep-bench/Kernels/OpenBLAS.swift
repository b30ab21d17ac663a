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
    private static let transposed: CInt = 112

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
        let (examples, inputs) = (CInt(product.examples), CInt(product.inputs))
        let outputs = CInt(product.outputs)
        let (plain, transposed) = (Self.notTransposed, Self.transposed)
        let result = unsafe operands.result.pointer
        switch product.kind {
        case .forward:
            unsafe multiply(
                Self.rowMajor, plain, plain, examples, outputs, inputs, 1,
                operands.activations.pointer, inputs, operands.weights.pointer, outputs, 0,
                result, outputs)
        case .inputGradient:
            unsafe multiply(
                Self.rowMajor, plain, transposed, examples, inputs, outputs, 1,
                operands.deltas.pointer, outputs, operands.weights.pointer, outputs, 0, result,
                inputs)
        case .weightGradient:
            unsafe multiply(
                Self.rowMajor, transposed, plain, inputs, outputs, examples, 1,
                operands.activations.pointer, inputs, operands.deltas.pointer, outputs, 0,
                result, outputs)
        }
    }
}
