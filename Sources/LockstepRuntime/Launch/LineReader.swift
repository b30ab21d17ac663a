package import Foundation

/// Takes apart what comes through a pipe.
package enum LineReader {
    /// Reads until the other end closes.
    ///
    /// - Parameter line: is told each line, without its end; also the last where that has none.
    package static func read(_ handle: FileHandle, _ line: (String) -> Void) {
        var rest: [UInt8] = []
        while case let data = handle.availableData, !data.isEmpty {
            rest += data
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
        }
        if !rest.isEmpty { line(String(decoding: rest, as: UTF8.self)) }
    }
}
