import LockstepRuntime
package import TrainingPlan

extension RunConfiguration.Key {
    /// What a value of a setting is.
    package enum Kind: Equatable, Sendable {
        case choice([String])
        case wholeNumber, number, widths
    }

    package var kind: Kind {
        func names<Choice: CaseIterable & RawRepresentable>(_: Choice.Type) -> Kind
        where Choice.RawValue == String { .choice(Choice.allCases.map(\.rawValue)) }
        return switch self {
        case .preset: names(RunConfiguration.Preset.self)
        case .layers: .widths
        case .hiddenActivation, .outputActivation: names(Activation.self)
        case .loss: names(Loss.self)
        case .targets: names(TargetEncoding.self)
        case .decode: names(OutputDecoding.self)
        case .optimizer: names(OptimizerSettings.Kind.self)
        case .schedule: names(LearningRateSchedule.Shape.self)
        case .learningRate, .weightDecay, .targetAccuracy: .number
        case .warmupSteps, .batchSize, .microBatch, .epochs, .seed, .validationExamples,
            .evaluateEvery:
            .wholeNumber
        }
    }
}

extension SweepGrid {
    /// The setting of this name, with dashes or underscores.
    static func key(_ name: String, _ place: String) throws(SweepGridError) -> Key {
        let spelled = name.replacing("-", with: "_")
        if let key = Key(rawValue: spelled) { return key }
        if let key = Key.allCases.first(where: { $0.firstName == name }) {
            throw SweepGridError(
                place, "“\(name)” has another name now", "write “\(key.rawValue)” instead")
        }
        let nearest = NearestName.find(spelled, in: Key.allCases.map(\.rawValue)) ?? ""
        throw SweepGridError(
            place, "unknown setting “\(name)”", "the nearest one is “\(nearest)”")
    }

    /// The values that a text stands for: those of a range, or itself.
    static func values(
        _ text: String, _ key: Key, _ place: String, maximumCount: Int
    ) throws(SweepGridError) -> [String] {
        guard key.kind == .wholeNumber, let match = text.wholeMatch(of: /\s*(\d+)-(\d+)\s*/) else {
            return [try value(text, key, place)]
        }
        guard let first = UInt64(match.1), let last = UInt64(match.2), first <= last else {
            throw SweepGridError(
                place, "“\(text)” is not a range of whole numbers", "write it as 1-5")
        }
        guard last - first < UInt64(maximumCount) else {
            throw SweepGridError(
                place,
                "“\(text)” has more numbers than a sweep may have runs (--max-runs \(maximumCount))",
                "name fewer, or allow more")
        }
        return (first...last).map { "\($0)" }
    }

    /// A value as its flag takes it.
    static func value(
        _ given: String, _ key: Key, _ place: String
    ) throws(SweepGridError) -> String {
        let text = given.trimming { $0.isWhitespace }
        func refuse(_ reason: String, _ remedy: String) -> SweepGridError {
            SweepGridError(place, reason, remedy)
        }
        guard !text.isEmpty else { throw refuse("there is no value", "give one") }
        switch key.kind {
        case .choice(let names):
            guard !names.contains(text) else { return text }
            let nearest = NearestName.find(text.replacing("_", with: "-"), in: names) ?? ""
            throw refuse(
                "unknown value “\(text)” of “\(key.rawValue)”",
                "the nearest one is “\(nearest)”, and all are \(names.joined(separator: ", "))")
        case .wholeNumber:
            guard UInt64(text) != nil else {
                throw refuse("“\(text)” is not a whole number", "give for example 32, or 1-5")
            }
        case .number:
            guard let number = Double(text), number.isFinite else {
                throw refuse("“\(text)” is not a number", "give for example 0.001")
            }
        case .widths:
            let widths = text.replacing("x", with: ",").split(
                separator: ",", omittingEmptySubsequences: false)
            guard widths.count > 1, widths.allSatisfy({ UInt32($0) != nil }) else {
                throw refuse(
                    "“\(text)” is not a list of widths", "write a network as 784x128x10")
            }
            return widths.joined(separator: ",")
        }
        return text
    }
}

extension String {
    /// Without the characters at both ends that meet a condition.
    fileprivate func trimming(_ isLeftOut: (Character) -> Bool) -> String {
        String(drop(while: isLeftOut).reversed().drop(while: isLeftOut).reversed())
    }
}
