import ArgumentParser
import LockstepProtocol
import Logging
import TrainingPlan

/// The value of a flag that can also be set in the environment or in a file: the default, until a
/// person gives one.
///
/// The parser reads its type, refuses what is of another, and shows the default and the choices.
struct FlagValue<Value: ExpressibleByArgument & Sendable>: ExpressibleByArgument, Sendable {
    let value: Value
    /// As it was given; nil for the default.
    let text: String?

    /// The default.
    init(_ value: Value) {
        self.value = value
        text = nil
    }

    init?(argument: String) {
        guard let value = Value(argument: argument) else { return nil }
        self.value = value
        text = argument
    }

    /// Whole numbers without a fraction.
    var defaultValueDescription: String {
        let text = value.defaultValueDescription
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    static var allValueStrings: [String] { Value.allValueStrings }

    static var defaultCompletionKind: CompletionKind { Value.defaultCompletionKind }
}

/// Widths from the inputs to the outputs, `784,128,10` for example.
struct LayerWidths: ExpressibleByArgument {
    let widths: [Int]

    init(_ widths: [Int]) { self.widths = widths }

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false)
            .map { Int($0.filter { $0 != " " }) }
        guard !numbers.contains(nil) else { return nil }
        widths = numbers.compactMap(\.self)
    }

    var defaultValueDescription: String { widths.map(String.init).joined(separator: ",") }
}

extension ServerPlacement: ExpressibleByArgument {
    package init?(argument: String) {
        if argument == Self.onWorkers.text {
            self = .onWorkers
        } else if let count = Int(argument) {
            self = .count(count)
        } else {
            return nil
        }
    }

    package var defaultValueDescription: String { text }
}

/// From which level on a message is shown.
struct LogLevel: ExpressibleByArgument {
    let level: Logger.Level

    init(_ level: Logger.Level) { self.level = level }

    init?(argument: String) {
        guard let level = Logger.Level(rawValue: argument) else { return nil }
        self.level = level
    }

    var defaultValueDescription: String { level.rawValue }

    static var allValueStrings: [String] { Logger.Level.allCases.map(\.rawValue) }

    static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

extension RunConfiguration.Preset: ExpressibleByArgument {}
extension Activation: ExpressibleByArgument {}
extension Loss: ExpressibleByArgument {}
extension TargetEncoding: ExpressibleByArgument {}
extension OutputDecoding: ExpressibleByArgument {}
extension OptimizerSettings.Kind: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}
