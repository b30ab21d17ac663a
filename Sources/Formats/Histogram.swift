/// Values counted in buckets of one width, as TensorBoard's own writer cuts them.
package struct Histogram: Equatable, Sendable {
    package struct Bucket: Equatable, Sendable {
        package var lowerEdge: Double
        /// Belongs to the next bucket, but for the last one's.
        package var upperEdge: Double
        package var count: Int

        package init(lowerEdge: Double, upperEdge: Double, count: Int) {
            self.lowerEdge = lowerEdge
            self.upperEdge = upperEdge
            self.count = count
        }
    }

    package private(set) var buckets: [Bucket]

    /// Where all values are one, each bucket is that point, and the last one holds them. Values
    /// that are not finite have no place and are left out.
    package init(_ values: [Float], bucketCount: Int = 30) {
        let values = values.lazy.filter(\.isFinite).map(Double.init)
        let minimum = values.min() ?? 0
        let maximum = values.max() ?? 0
        let width = (maximum - minimum) / Double(bucketCount)
        buckets = (0..<bucketCount).map { index in
            Bucket(
                lowerEdge: minimum + Double(index) * width,
                upperEdge: index == bucketCount - 1
                    ? maximum : minimum + Double(index + 1) * width, count: 0)
        }
        for value in values {
            let index = width == 0 ? bucketCount : Int((value - minimum) / width)
            buckets[min(index, bucketCount - 1)].count += 1
        }
    }
}
