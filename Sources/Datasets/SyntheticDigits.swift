import Dispatch
package import Hashing
import RandomNumbers

/// Generated digits, 28×28, for where MNIST is not at hand.
///
/// They are drawn from strokes under random elastic and affine changes, with varied pens and some
/// dirt. Each digit has a random stream of its own and is made with + − × ÷ √ and integers only:
/// the bytes are the same on every CPU and for any number of threads.
package struct SyntheticDigits: Sendable {
    package static let name = "synthetic-digits"

    /// Of the default set, as `Dataset.sha256`: it changes with every change of a bit.
    package static let sha256 = digest(
        "fd2ea203dd52acd5b71e9c2c7d8dfb70bc4943f9605c5cc06b338389a3405fb1")

    private static let seed: UInt64 = 0x6469_6769_7473
    /// The test set's streams begin here, so that neither set depends on the other's size.
    private static let firstTestStream: UInt64 = 1 << 32
    /// Digits drawn by a thread at a time.
    private static let chunkCount = 250

    private let trainCount: Int
    private let testCount: Int

    package init(trainCount: Int = 60_000, testCount: Int = 10_000) {
        precondition(trainCount > 0 && testCount > 0, "a data set has examples")
        self.trainCount = trainCount
        self.testCount = testCount
    }

    /// Draws them all, on all cores: about a second on two.
    package func dataset() -> Dataset {
        Dataset(
            name: Self.name, train: Self.draw(trainCount, firstStream: 0),
            test: Self.draw(testCount, firstStream: Self.firstTestStream), origin: "generated")
    }

    private static func draw(_ count: Int, firstStream: UInt64) -> LabelledImages {
        // Threads write to disjoint ranges; strict concurrency cannot see it.
        var labels = [UInt8](repeating: 0, count: count)
        let pixelCount = LabelledImages.pixelCount
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: count * pixelCount) {
            pixels, initializedCount in
            unsafe labels.withUnsafeMutableBufferPointer { labels in
                nonisolated(unsafe) let pixels = unsafe pixels
                nonisolated(unsafe) let labels = unsafe labels
                let chunks = (count + chunkCount - 1) / chunkCount
                DispatchQueue.concurrentPerform(iterations: chunks) { chunk in
                    var painter = DigitPainter()
                    let first = chunk * chunkCount
                    for index in first..<min(first + chunkCount, count) {
                        let stream = firstStream + UInt64(index)
                        unsafe labels[index] = painter.draw(
                            Philox(seed: seed, purpose: .syntheticDigits, index: stream))
                        let start = index * pixelCount
                        unsafe painter.write(
                            to: .init(rebasing: pixels[start..<start + pixelCount]))
                    }
                }
            }
            initializedCount = count * pixelCount
        }
        return LabelledImages(pixels: pixels, labels: labels)
    }
}
