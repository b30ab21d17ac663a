import Hashing
import Testing

@Suite struct SHA256Tests {
    /// The examples of FIPS 180-4 and the empty message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func publishedExamples(message: String, expected: String) {
        #expect("\(SHA256.hash(Array(message.utf8)))" == expected)
    }

    @Test func piecesGiveTheHashOfTheWhole() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for cut in [0, 1, 63, 64, 65, 999, 1000] {
            var hash = SHA256()
            hash.update(bytes[..<cut])
            hash.update(AnyCollection(bytes[cut...]))
            #expect(hash.finalize() == SHA256.hash(bytes), "cut at \(cut)")
        }
    }

    @Test func digestsAreReadBack() throws {
        let digest = SHA256.hash([1, 2, 3])
        #expect(SHA256.Digest("\(digest)") == digest)
        #expect(SHA256.Digest(digest.bytes) == digest)
    }

    @Test(arguments: [
        "", "ba78", String(repeating: "g", count: 64), String(repeating: "a", count: 65),
        String(repeating: "a", count: 63) + "１",
    ])
    func otherTextIsNoDigest(text: String) {
        #expect(SHA256.Digest(text) == nil)
    }

    @Test func otherLengthsAreNoDigest() {
        #expect(SHA256.Digest([UInt8](repeating: 0, count: 31)) == nil)
    }
}
