package import NeuralNetwork
package import TrainingPlan

extension GradientRows {
    /// Writes the squared norm of each row of a part to its place among those of all rows.
    ///
    /// - Parameters:
    ///   - part: whole rows of one layer.
    ///   - sums: the part's floats, at any alignment.
    ///   - squares: where the part's first row has its place, at any alignment.
    func measure(
        _ part: Range<Int>, _ sums: UnsafeRawPointer, _ kernels: KernelSet,
        into squares: UnsafeMutableRawPointer
    ) {
        guard let layer = layer(of: part) else { return }
        if layer.rowsPerWidth == 1 {
            // Whole rows, so that several are measured together; a part within one row is measured
            // as one.
            let width = min(layer.width, part.count)
            unsafe kernels.squaredNorms(sums, part.count / max(width, 1), width, squares)
            return
        }
        var target = unsafe squares
        var offset = 0
        while offset < part.count {
            let width = min(layer.width, part.count - offset)
            var within = 0
            while within < width {
                let length = min(Self.longestRow, width - within)
                unsafe kernels.squaredNorms(sums + (offset + within) * 4, 1, length, target)
                unsafe target += 4
                within += length
            }
            offset += width
        }
    }

    /// The layer in which a part lies.
    func layer(of part: Range<Int>) -> Layer? {
        layers.first { part.lowerBound < $0.range.upperBound }
    }

    /// The squared norm of each layer, from those of all rows.
    package func layerSums(_ squares: FloatBuffer) -> [Double] {
        layers.map { layer in
            layer.rows.reduce(0) { sum, row in unsafe sum + Double(squares.pointer[row]) }
        }
    }
}
