import Experiments
import Foundation
import LockstepProtocol
import LockstepRuntime
import TrainingPlan

/// The settings that a person gave, each from the place that counts: flags over environment over
/// file.
///
/// Values are kept as text until they are asked for, so that every message can say what was written
/// where.
struct Settings: Sendable {
    private var values: [SettingKey: GivenValue]

    /// - Parameters:
    ///   - keys: those that the command has.
    ///   - file: the path of `--config`.
    /// - Throws: ``UsageError``, for a setting in the file that the command has not, too.
    init(
        keys: Set<SettingKey>, flags: [SettingKey: String?], environment: [String: String],
        file: String?, command: String
    ) throws(UsageError) {
        values = try file.map { path throws(UsageError) in try SettingsFile.read(path) } ?? [:]
        for value in values.values where !keys.contains(value.key) {
            // What describes the placement of another role is not a mistake in a shared file.
            guard !SettingKey.varied.contains(value.key), value.key != .seeds else {
                throw UsageError(
                    value.place, "`lockstep \(command)` sets this itself",
                    "remove it, or use another command")
            }
            values[value.key] = nil
        }
        for (former, key) in SettingKey.renamed where keys.contains(key) {
            let variable = SettingKey(former).environmentVariable
            guard environment[variable] == nil else {
                throw UsageError(
                    variable, "this setting has another name now",
                    "set \(key.environmentVariable) instead")
            }
        }
        for key in keys {
            if let text = environment[key.environmentVariable], !text.isEmpty, key != .data {
                values[key] = GivenValue(key: key, text: text, source: .environment)
            }
            if let flag = flags[key], let text = flag {
                values[key] = GivenValue(key: key, text: text, source: .flag)
            }
        }
    }

    /// Settings by the names of their keys, as a checkpoint's metadata has them; those of earlier
    /// versions have the first names.
    init(texts: [String: String], path: String) {
        values = [:]
        for key in RunConfiguration.Key.allCases {
            guard let text = texts[key.rawValue] ?? texts[key.firstName] else { continue }
            // Earlier versions called what is not a preset `custom`.
            guard key != .preset || RunConfiguration.Preset(rawValue: text) != nil else { continue }
            let name = SettingKey(key)
            values[name] = GivenValue(key: name, text: text, source: .file(path: path, line: 1))
        }
    }

    subscript(key: SettingKey) -> GivenValue? { values[key] }

    /// These settings with some of them set otherwise, for a point of a grid.
    func setting(_ point: SweepGrid.Point) -> Settings {
        var result = self
        for (key, text) in point.settings {
            let key = SettingKey(key)
            result.values[key] = GivenValue(key: key, text: text, source: .grid)
        }
        return result
    }

    // MARK: Values

    func integer<Value: FixedWidthInteger>(
        _ key: SettingKey, in range: ClosedRange<Value> = Value.min...Value.max, or fallback: Value,
        instead: String? = nil
    ) throws(UsageError) -> Value {
        guard let given = values[key] else { return fallback }
        return try Self.integer(given.text, given, in: range, instead)
    }

    private static func integer<Value: FixedWidthInteger>(
        _ text: String, _ given: GivenValue, in range: ClosedRange<Value>, _ instead: String? = nil
    ) throws(UsageError) -> Value {
        let numbers = "give one from \(range.lowerBound) to \(range.upperBound)"
        let remedy = instead.map { "\(numbers), \($0)" } ?? numbers
        // A sign and digits are a whole number, though it may be larger than any that is stored.
        guard text.wholeMatch(of: /[+-]?[0-9]+/) != nil else {
            throw UsageError(given.place, "“\(text)” is not a whole number", remedy)
        }
        guard let value = Value(text), range.contains(value) else {
            throw UsageError(given.place, "\(text) is out of range", remedy)
        }
        return value
    }

    func integers<Value: FixedWidthInteger>(
        _ key: SettingKey, or fallback: [Value]
    ) throws(UsageError) -> [Value] {
        guard let given = values[key] else { return fallback }
        var numbers: [Value] = []
        for text in given.text.split(separator: ",", omittingEmptySubsequences: false) {
            let trimmed = String(text).trimmingCharacters(in: .whitespaces)
            numbers.append(try Self.integer(trimmed, given, in: Value.min...Value.max))
        }
        return numbers
    }

    func number(_ key: SettingKey, or fallback: Double) throws(UsageError) -> Double {
        guard let given = values[key] else { return fallback }
        guard let value = Double(given.text) else {
            throw UsageError(given.place, "this is not a number", "give one, for example 0.001")
        }
        guard value.isFinite else {
            throw UsageError(
                given.place, "this is not a finite number", "give one, for example 0.001")
        }
        return value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: SettingKey, or fallback: Choice
    ) throws(UsageError) -> Choice where Choice.RawValue == String {
        guard let given = values[key] else { return fallback }
        guard let value = Choice(rawValue: given.text) else {
            throw UsageError(
                given.place, "unknown value “\(given.text)”",
                "give one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }
}
