/// Images of 28×28 grey levels and their labels 0 to 9. Cheap to pass: the arrays are shared.
package struct LabelledImages: Sendable, Equatable {
    /// Rows, and columns, of an image.
    package static let side = 28
    package static let pixelCount = side * side
    package static let classCount = 10

    /// `[count, 784]`, row-major, 0 black to 255 white.
    package let pixels: ArraySlice<UInt8>
    /// `[count]`
    package let labels: ArraySlice<UInt8>

    package var count: Int { labels.count }

    package init(pixels: [UInt8], labels: [UInt8]) {
        self.init(pixels: pixels[...], labels: labels[...])
    }

    private init(pixels: ArraySlice<UInt8>, labels: ArraySlice<UInt8>) {
        precondition(pixels.count == labels.count * Self.pixelCount, "as many images as labels")
        precondition(labels.allSatisfy { $0 < Self.classCount }, "labels are 0 to 9")
        self.pixels = pixels
        self.labels = labels
    }

    /// One example: its 784 pixels, row-major, and its label.
    ///
    /// - Parameter index: 0 to `count` − 1, whatever part of a larger set this is.
    package subscript(index: Int) -> (pixels: ArraySlice<UInt8>, label: UInt8) {
        precondition(labels.indices.contains(labels.startIndex + index), "no such example")
        let first = pixels.startIndex + index * Self.pixelCount
        return (pixels[first..<first + Self.pixelCount], labels[labels.startIndex + index])
    }

    /// The first examples, sharing the memory of the whole.
    package func prefix(_ count: Int) -> LabelledImages {
        LabelledImages(
            pixels: pixels.prefix(count * Self.pixelCount), labels: labels.prefix(count))
    }

    /// The last examples, sharing the memory of the whole.
    package func suffix(_ count: Int) -> LabelledImages {
        LabelledImages(
            pixels: pixels.suffix(count * Self.pixelCount), labels: labels.suffix(count))
    }
}
