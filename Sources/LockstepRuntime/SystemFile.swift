import Foundation

/// What the system says of itself in files of /proc and /sys.
enum SystemFile {
    /// The whole text; nil where it cannot be read. `String(contentsOfFile:)` takes the first part
    /// of such a file, which tells no length, for all of it.
    static func text(_ path: String) -> String? {
        let file = FileHandle(forReadingAtPath: path)
        guard let data = try? file?.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
