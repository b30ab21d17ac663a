import Foundation
import RunRecords
import TestSupport
import Testing

/// Folders that other users may write to.
@Suite struct SharedFolderTests {
    /// Somebody guesses the process, and puts a link where the file is written before it is in
    /// place.
    @Test func aLinkInTheWayIsNotFollowed() throws {
        let folder = try TemporaryFolder()
        try folder.write("precious", "victim")
        for name in ["whole", "bit by bit"] {
            let temporary = folder.path("\(name).\(getpid()).tmp")
            try FileManager.default.createSymbolicLink(
                atPath: temporary, withDestinationPath: folder.path("victim"))
        }
        try Files.replace(folder.path("whole"), with: Array("new".utf8))
        var replacement = try FileReplacement(folder.path("bit by bit"))
        try replacement.append(Array("new".utf8))
        try replacement.putInPlace()
        #expect(try folder.read("victim") == Array("precious".utf8))
        #expect(try folder.read("whole") == Array("new".utf8))
        #expect(try folder.read("bit by bit") == Array("new".utf8))
    }

    /// Whoever can open the lock can take it.
    @Test func onlyItsOwnerCanTakeALock() throws {
        let folder = try TemporaryFolder()
        let lock = try FolderLock(folder.path)
        try withExtendedLifetime(lock) {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.path(FolderLock.fileName))
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }
}
