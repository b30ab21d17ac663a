package import TrainingPlan

extension StepMetricsLayout {
    /// parent ← left + right, word by word. The memory need not be aligned; `parent` may be either.
    package func fold(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, into parent: UnsafeMutableRawPointer
    ) {
        for offset in stride(from: 0, to: byteCount, by: 4) {
            let x = unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let y = unsafe right.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let sum =
                offset / 4 < floatWordCount
                ? (Float(bitPattern: x) + Float(bitPattern: y)).bitPattern : x &+ y
            unsafe parent.storeBytes(of: sum, toByteOffset: offset, as: UInt32.self)
        }
    }

    /// Reads `wordCount` words.
    package func metrics(_ words: UnsafeRawPointer) -> StepMetrics {
        let word = { unsafe words.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        let layers = 0..<layerCount
        return StepMetrics(
            lossSum: Float(bitPattern: word(0)),
            squaredGradientNorms: layers.map { Float(bitPattern: word(1 + $0)) },
            correctCount: Int(word(floatWordCount)),
            saturatedCounts: layers.map { Int(word(floatWordCount + 1 + $0)) })
    }
}
