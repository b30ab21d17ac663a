import Datasets
import Testing

@Suite struct SyntheticDigitsTests {
    static let small = SyntheticDigits(trainCount: 2000, testCount: 100).dataset()

    /// The bytes are a promise: weights trained on them are compared across hosts by hash.
    @Test func theDefaultSetIsTheOneRecorded() {
        let dataset = SyntheticDigits().dataset()
        #expect(dataset.sha256 == SyntheticDigits.sha256)
        #expect(dataset.name == "synthetic-digits")
        #expect(dataset.train.count == 60_000)
        #expect(dataset.test.count == 10_000)
        #expect(dataset.train.prefix(2000) == Self.small.train)
        #expect(dataset.test.prefix(100) == Self.small.test)
    }

    @Test func aSmallSetBearsTheNameToo() throws {
        #expect(Self.small.name == SyntheticDigits.name)
        #expect(Self.small.sha256 != SyntheticDigits.sha256)
        let copy = try Dataset(
            payload: Self.small.payloadChunk(offset: 0, byteCount: .max),
            name: Self.small.name, origin: "a test")
        #expect(copy.sha256 == Self.small.sha256)
        #expect(copy.name == SyntheticDigits.name)
    }

    @Test func looksLikeMNIST() {
        let train = Self.small.train
        let zeros = train.pixels.count { $0 == 0 }
        #expect((0.75...0.85).contains(Double(zeros) / Double(train.pixels.count)))
        for label in UInt8(0)...9 {
            let count = train.labels.count { $0 == label }
            #expect((140...260).contains(count), "\(count) of label \(label)")
        }
    }

    /// Within four pixels of the middle on average over the ink, stray strokes included.
    @Test func digitsAreCentred() {
        for index in 0..<200 {
            let pixels = Array(Self.small.train[index].pixels)
            let ink = pixels.reduce(0) { $0 + Int($1) }
            let x = pixels.indices.reduce(0) { $0 + $1 % 28 * Int(pixels[$1]) } / max(ink, 1)
            let y = pixels.indices.reduce(0) { $0 + $1 / 28 * Int(pixels[$1]) } / max(ink, 1)
            #expect(ink > 2000, "digit \(index) is visible")
            #expect((9...18).contains(x) && (9...18).contains(y), "digit \(index) at \(x), \(y)")
        }
    }

    @Test func noTwoDigitsAreTheSame() {
        let train = Self.small.train
        #expect(Set((0..<train.count).map { Array(train[$0].pixels) }).count == train.count)
    }
}
