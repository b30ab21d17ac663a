import Formats
import Testing

@Suite struct ProtobufWriterTests {
    private func bytes(_ fill: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var writer = ProtobufWriter()
        fill(&writer)
        return writer.bytes
    }

    /// The examples of protobuf.dev/programming-guides/encoding.
    @Test func publishedExamples() {
        #expect(bytes { $0.add(1, 150) } == [0x08, 0x96, 0x01])
        #expect(bytes { $0.add(2, "testing") } == [0x12, 0x07] + Array("testing".utf8))
        #expect(bytes { $0.add(3) { $0.add(1, 150) } } == [0x1A, 0x03, 0x08, 0x96, 0x01])
        #expect(bytes { $0.add(1, -2) } == [8, 0xFE] + [UInt8](repeating: 0xFF, count: 8) + [1])
    }

    @Test func floatsAreLittleEndian() {
        #expect(bytes { $0.add(5, Float(1)) } == [0x2D, 0, 0, 0x80, 0x3F])
        #expect(bytes { $0.add(5, -2.0) } == [0x29, 0, 0, 0, 0, 0, 0, 0, 0xC0])
    }

    /// A field's number takes a second byte from 16 on, a length from 128 on.
    @Test func numbersAndLengthsGrow() {
        #expect(bytes { $0.add(16, 0) } == [0x80, 0x01, 0x00])
        let content = [UInt8](repeating: 7, count: 300)
        #expect(bytes { $0.add(15, bytes: content) } == [0x7A, 0xAC, 0x02] + content)
    }
}
