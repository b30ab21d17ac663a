import Foundation
import RunRecords
import TestSupport
import Testing

/// Names of folders that are bytes, and not text.
@Suite struct FolderNameTests {
    /// What such a name is shown as may be the name of another folder, which must not stand in for
    /// it.
    @Test func aNameThatIsNotUTF8IsNamedAndLeftOut() throws {
        let folder = try TemporaryFolder()
        let name = (Array(folder.path.utf8) + [0x2F, 0x72, 0xFF, 0]).map(CChar.init(bitPattern:))
        try #require(unsafe mkdir(name, 0o755) == 0)
        // Foundation cannot.
        defer { unsafe rmdir(name) }
        for place in ["r\u{FFFD}", "other"] {
            try folder.write(Array("x".utf8), "\(place)/metrics.jsonl")
        }
        let search = try RunSearch(folder.path)
        #expect(search.folders == [folder.path("other"), folder.path("r\u{FFFD}")])
        #expect(search.faults.count == 1)
        let fault = try #require(search.faults.first)
        #expect("\(fault)".contains(folder.path) && "\(fault)".contains("not UTF-8"), "\(fault)")
    }
}
