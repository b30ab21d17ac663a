import Foundation
import Yams

/// A file of settings: one YAML mapping from the names of flags to their values.
enum SettingsFile {
    /// - Throws: ``UsageError`` naming file, line and key for anything that is not a setting.
    static func read(_ path: String) throws(UsageError) -> [SettingKey: GivenValue] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw UsageError(
                "--config \(path)", "the file cannot be read", "check the path and its permissions")
        }
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            let reason = "\(error)".split(separator: "\n").joined(separator: " ")
            throw UsageError(
                path, "this is not valid YAML (\(reason))", "write lines of `name: value`")
        }
        guard let root else { return [:] }
        guard case .mapping(let mapping) = root else {
            throw UsageError(
                path, "this is not a mapping of settings", "write lines of `name: value`")
        }
        var values: [SettingKey: GivenValue] = [:]
        for (name, node) in mapping {
            let value = try value(name: name, node: node, path: path)
            if case .file(_, let line)? = values[value.key]?.source {
                throw UsageError(
                    value.place, "line \(line) sets this already", "remove one of the two")
            }
            values[value.key] = value
        }
        return values
    }

    private static func value(
        name: Node, node: Node, path: String
    ) throws(UsageError) -> GivenValue {
        let line = name.mark?.line ?? 1
        let written = name.scalar?.string ?? "?"
        // As flags are written, too.
        let key = SettingKey(written.replacing("-", with: "_"))
        let place = "\(path), line \(line), \(written)"
        if let newKey = SettingKey.renamed[written] {
            throw UsageError(
                place, "this setting has another name now", "write \(newKey.name) instead")
        }
        guard SettingKey.all.contains(key) else {
            throw UsageError(
                place, "unknown setting",
                "the known ones are " + SettingKey.all.map(\.name).joined(separator: ", "))
        }
        let texts = node.sequence.map { $0.map { $0.scalar?.string } } ?? [node.scalar?.string]
        guard !texts.isEmpty, !texts.contains(nil) else {
            throw UsageError(place, "the value is neither plain nor a list", "write `name: value`")
        }
        let text = texts.compactMap(\.self).joined(separator: ",")
        return GivenValue(key: key, text: text, source: .file(path: path, line: line))
    }

    /// The text of a file with these settings.
    ///
    /// - Parameter comment: lines without `#`, for the top.
    static func text(_ settings: [(key: SettingKey, text: String)], comment: [String]) -> String {
        // A mapping of strings always has a text.
        let pairs = settings.map { (Node($0.key.name), Node($0.text)) }
        let body = (try? serialize(node: Node(pairs))) ?? ""
        return comment.map { "# \($0)\n" }.joined() + body
    }
}
