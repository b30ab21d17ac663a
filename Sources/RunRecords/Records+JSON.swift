import Formats
import Foundation

enum EventKey: String, CodingKey {
    case event
}

extension MetricsRecord {
    /// The name under which a line says what it is.
    enum Event: String, Decodable {
        case run, step, evaluation, epoch, gap, end

        /// How every line of such a record begins.
        var lineStart: [UInt8] {
            var lines = JSONLines()
            lines.begin()
            lines.add(EventKey.event, rawValue)
            return lines.bytes
        }
    }

    var event: Event {
        switch self {
        case .run: .run
        case .step: .step
        case .evaluation: .evaluation
        case .epoch: .epoch
        case .gap: .gap
        case .end: .end
        }
    }

    /// Appends this record's line.
    ///
    /// - Parameter stamp: that of the run's provenance, which an end carries by itself.
    func write(to lines: inout JSONLines, stamp: [UInt8]) {
        lines.begin()
        lines.add(EventKey.event, event.rawValue)
        switch self {
        case .run(let record): record.write(to: &lines)
        case .step(let record): record.write(to: &lines)
        case .evaluation(let record): record.write(to: &lines)
        case .epoch(let record): record.write(to: &lines)
        case .gap(let record): record.write(to: &lines)
        case .end(let record): record.write(to: &lines)
        }
        if event != .end { lines.add(members: stamp) }
        lines.end()
    }
}

extension Provenance {
    /// What every line of a log ends with: the members of this value, without braces.
    var stamp: [UInt8] {
        var lines = JSONLines()
        lines.begin()
        lines.add(CodingKeys.dataset, dataset)
        lines.add(CodingKeys.datasetSHA256, datasetSHA256)
        lines.add(CodingKeys.configurationSHA256, configurationSHA256)
        lines.end()
        return Array(lines.bytes.dropFirst().dropLast(2))
    }
}

extension EndRecord {
    /// This record's line of the log without its newline: what `--json` prints.
    package var json: String {
        var lines = JSONLines()
        MetricsRecord.end(self).write(to: &lines, stamp: [])
        return String(decoding: lines.bytes.dropLast(), as: UTF8.self)
    }
}

extension RunRecord {
    /// Settings have today's names, whichever version wrote the log.
    package init(from decoder: any Decoder) throws {
        let line = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            configuration: try line.decode(String.self, forKey: .configuration),
            settings: Self.renamed(try line.decode([String: String].self, forKey: .settings)),
            seed: try line.decode(UInt64.self, forKey: .seed),
            placement: try line.decode(Placement.self, forKey: .placement),
            versions: try line.decode([String: String].self, forKey: .versions),
            started: try line.decode(Date.self, forKey: .started),
            machine: try line.decodeIfPresent(Machine.self, forKey: .machine))
    }

    /// Earlier versions wrote flags, three of which had other names, and called what is not a
    /// preset `custom`.
    private static func renamed(_ settings: [String: String]) -> [String: String] {
        let names = [
            "configuration": "preset", "hidden": "hidden_activation", "output": "output_activation",
        ]
        var result: [String: String] = [:]
        for (name, text) in settings where (name, text) != ("configuration", "custom") {
            result[names[name] ?? name.replacing("-", with: "_")] = text
        }
        return result
    }

    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.configuration, configuration)
        line.add(CodingKeys.seed, seed)
        line.object(CodingKeys.placement) { line in
            line.add(Placement.CodingKeys.workers, placement.workers)
            line.add(Placement.CodingKeys.threads, placement.threads)
            line.add(Placement.CodingKeys.servers, placement.servers)
        }
        if let machine {
            line.object(CodingKeys.machine) { line in
                line.add(Machine.CodingKeys.host, machine.host)
                line.add(Machine.CodingKeys.cores, machine.cores)
            }
        }
        line.add(CodingKeys.settings, settings)
        line.add(CodingKeys.versions, versions)
        line.add(CodingKeys.started, started.formatted(.iso8601))
    }
}

extension StepRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.loss, loss)
        line.add(CodingKeys.accuracy, accuracy)
        line.add(CodingKeys.learningRate, learningRate)
        line.add(CodingKeys.gradientNorms, gradientNorms)
        if !batchGradientNorms.isEmpty {
            line.add(CodingKeys.batchGradientNorms, batchGradientNorms)
        }
        line.add(CodingKeys.saturation, saturation)
        if let weightsDigest { line.add(CodingKeys.weightsDigest, weightsDigest) }
    }
}

extension EvaluationRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.split, split.rawValue)
        line.add(CodingKeys.loss, loss)
        line.add(CodingKeys.accuracy, accuracy)
        if let otherDecodingAccuracy {
            line.add(CodingKeys.otherDecodingAccuracy, otherDecodingAccuracy)
        }
        if let errorPassed { line.add(CodingKeys.errorPassed, errorPassed) }
        if let gradientPassed { line.add(CodingKeys.gradientPassed, gradientPassed) }
        line.add(CodingKeys.seconds, seconds)
    }
}

extension EpochRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.epoch, epoch)
        line.add(CodingKeys.step, step)
        line.add(CodingKeys.examples, examples)
        line.add(CodingKeys.seconds, seconds)
        line.add(CodingKeys.trainLoss, trainLoss)
        line.add(CodingKeys.trainAccuracy, trainAccuracy)
        line.add(CodingKeys.testLoss, testLoss)
        line.add(CodingKeys.testAccuracy, testAccuracy)
        if let otherDecodingTestAccuracy {
            line.add(CodingKeys.otherDecodingTestAccuracy, otherDecodingTestAccuracy)
        }
        if let testErrorPassed { line.add(CodingKeys.testErrorPassed, testErrorPassed) }
        if let testGradientPassed { line.add(CodingKeys.testGradientPassed, testGradientPassed) }
        line.add(CodingKeys.weightsSHA256, weightsSHA256)
    }
}

extension GapRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.firstStep, firstStep)
        line.add(CodingKeys.lastStep, lastStep)
    }
}

extension EndRecord {
    fileprivate func write(to line: inout JSONLines) {
        line.add(CodingKeys.status, status.rawValue)
        line.add(CodingKeys.configuration, configuration)
        line.add(CodingKeys.configurationSHA256, configurationSHA256)
        line.add(CodingKeys.dataset, dataset)
        line.add(CodingKeys.datasetSHA256, datasetSHA256)
        line.add(CodingKeys.seed, seed)
        line.add(CodingKeys.workers, workers)
        line.add(CodingKeys.threads, threads)
        line.add(CodingKeys.servers, servers)
        line.add(CodingKeys.batchSize, batchSize)
        line.add(CodingKeys.steps, steps)
        line.add(CodingKeys.epochs, epochs)
        line.add(CodingKeys.testAccuracy, testAccuracy)
        line.add(CodingKeys.testLoss, testLoss)
        line.add(CodingKeys.seconds, seconds)
        line.add(CodingKeys.examplesPerSecond, examplesPerSecond)
        line.add(CodingKeys.weightsSHA256, weightsSHA256)
        if let weightsFrom { line.add(CodingKeys.weightsFrom, weightsFrom) }
        if let cause { line.add(CodingKeys.cause, cause) }
        if let divergedStep { line.add(CodingKeys.divergedStep, divergedStep) }
        if let rescalingChangedDecisions {
            line.add(CodingKeys.rescalingChangedDecisions, rescalingChangedDecisions)
        }
        if let rescalingComparedDecisions {
            line.add(CodingKeys.rescalingComparedDecisions, rescalingComparedDecisions)
        }
        if let otherDecodingTestAccuracy {
            line.add(CodingKeys.otherDecodingTestAccuracy, otherDecodingTestAccuracy)
        }
        if let parallelism { line.add(CodingKeys.parallelism, parallelism) }
    }
}
