import Formats
import RunRecords
import TestSupport
import Testing

@Suite struct FormatFileTests {
    @Test func readsWhatItWrote() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("w.safetensors")
        let file = Safetensors(
            metadata: ["dataset": "mnist"],
            tensors: [Safetensors.Tensor(name: "w", shape: [1, 2], values: [1, -2])])
        try file.write(to: path)
        #expect(try Safetensors(reading: path) == file)
    }

    @Test func namesAFileThatIsMissing() throws {
        let error = try #require(throws: FileError.self) {
            try Safetensors(reading: "/nowhere/w.safetensors")
        }
        #expect(error.operation == .read && error.path == "/nowhere/w.safetensors")
    }
}
