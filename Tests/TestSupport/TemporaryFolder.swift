import Foundation

/// A fresh folder that goes away with its owner.
package final class TemporaryFolder: Sendable {
    package let path = NSTemporaryDirectory() + "lockstep-test-\(UUID().uuidString)"

    package init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package func path(_ name: String) -> String { "\(path)/\(name)" }

    package func write(_ bytes: some Sequence<UInt8>, _ name: String) throws {
        let file = URL(fileURLWithPath: path(name))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    package func write(_ text: String, _ name: String) throws { try write(text.utf8, name) }

    package func read(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: path(name))))
    }
}
