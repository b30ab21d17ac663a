import Foundation
import LockstepRuntime
import RunRecords
import TestSupport
import Testing
import ZeroMQ

/// Sockets of one user, where no other can enter; and what is swept up with them, and what is not.
@Suite struct SocketFolderTests {
    let place: TemporaryFolder

    init() throws {
        place = try TemporaryFolder()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: place.path)
    }

    private func folder() throws -> SocketFolder {
        try SocketFolder(environment: ["XDG_RUNTIME_DIR": place.path])
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
    }

    /// Makes a file with its folder.
    private func write(_ path: String) throws {
        let file = URL(fileURLWithPath: place.path(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: file)
    }

    @Test func itIsInTheRuntimeFolderAndGoesWithItsOwner() throws {
        do {
            let sockets = try folder()
            #expect(try sockets.coordinator().text.hasPrefix("ipc://\(place.path)/"))
            let name = try #require(try names().first)
            let attributes = try FileManager.default.attributesOfItem(atPath: place.path(name))
            #expect(attributes[.posixPermissions] as? Int == 0o700)
        }
        #expect(try names().isEmpty)
    }

    @Test func whatAKilledProcessLeftIsRemoved() throws {
        try write(".lockstep-sockets-abcdef/lock")
        let path = place.path(".lockstep-sockets-abcdef/coordinator")
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        let isBound = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(socket, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(isBound)
        let sockets = try folder()
        #expect(try names().count == 1)
        withExtendedLifetime(sockets) {}
    }

    /// A run's folder, one without a lock, and one that is in use.
    @Test func nothingElseIsRemoved() throws {
        let kept = [
            ".lockstep-sockets-aaaaaa/metrics.jsonl", ".lockstep-sockets-bbbbbb/coordinator",
            "lockstep-run/metrics.jsonl", ".lockstep-sockets-longer-name/model.safetensors",
        ]
        for path in kept { try write(path) }
        for path in [".lockstep-sockets-aaaaaa/lock", "lockstep-run/lock"] { try write(path) }
        try write(".lockstep-sockets-cccccc/lock")
        let lock = try FolderLock(place.path(".lockstep-sockets-cccccc"))
        let sockets = try folder()
        for path in kept + [".lockstep-sockets-cccccc/lock"] {
            #expect(FileManager.default.fileExists(atPath: place.path(path)), "\(path)")
        }
        withExtendedLifetime((lock, sockets)) {}
    }

    /// A place that others can enter, or that is none, is not used.
    @Test func aRuntimeFolderThatOthersEnterIsNotUsed() throws {
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: place.path)
        for environment in [
            ["XDG_RUNTIME_DIR": place.path], ["XDG_RUNTIME_DIR": "relative"],
            ["XDG_RUNTIME_DIR": place.path("missing")], [:],
        ] {
            let sockets = try SocketFolder(environment: environment)
            #expect(try sockets.coordinator().text.hasPrefix("ipc:///tmp/.lockstep-sockets-"))
        }
        #expect(try names().isEmpty)
    }
}
