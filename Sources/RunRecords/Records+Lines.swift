extension MetricsRecord {
    /// A line of a step, an evaluation or an epoch as ``write(to:stamp:)`` spells it.
    ///
    /// - Parameter stamp: of the lines before.
    init(asWritten line: Span<UInt8>, stamp: [UInt8]) throws(UnusualSpelling) {
        var cursor = try LineCursor(line)
        switch Event(rawValue: try cursor.text(EventKey.event, line)) {
        case .step: self = .step(try StepRecord(&cursor, line))
        case .evaluation: self = .evaluation(try EvaluationRecord(&cursor, line))
        case .epoch: self = .epoch(try EpochRecord(&cursor, line))
        // Once in a log, or hardly ever.
        case .run, .gap, .end, nil: throw UnusualSpelling()
        }
        try cursor.expectEnd(stamp, line)
    }
}

extension StepRecord {
    fileprivate init(_ cursor: inout LineCursor, _ line: Span<UInt8>) throws(UnusualSpelling) {
        typealias Key = CodingKeys
        self.init(
            step: try cursor.integer(Key.step, line), epoch: try cursor.integer(Key.epoch, line),
            loss: try cursor.float(Key.loss, line), accuracy: try cursor.float(Key.accuracy, line),
            learningRate: try cursor.double(Key.learningRate, line),
            gradientNorms: try cursor.floats(Key.gradientNorms, line), saturation: [])
        if cursor.has(Key.batchGradientNorms, line) {
            batchGradientNorms = try cursor.floats(line)
        }
        saturation = try cursor.floats(Key.saturation, line)
        if cursor.has(Key.weightsDigest, line) { weightsDigest = try cursor.text(line) }
    }
}

extension EvaluationRecord {
    fileprivate init(_ cursor: inout LineCursor, _ line: Span<UInt8>) throws(UnusualSpelling) {
        typealias Key = CodingKeys
        let step = try cursor.integer(Key.step, line)
        let epoch = try cursor.double(Key.epoch, line)
        guard let split = Split(rawValue: try cursor.text(Key.split, line)) else {
            throw UnusualSpelling()
        }
        self.init(
            step: step, epoch: epoch, split: split, loss: try cursor.measured(Key.loss, line),
            accuracy: try cursor.measured(Key.accuracy, line), seconds: 0)
        if cursor.has(Key.otherDecodingAccuracy, line) {
            otherDecodingAccuracy = try cursor.double(line)
        }
        if cursor.has(Key.errorPassed, line) { errorPassed = try cursor.double(line) }
        if cursor.has(Key.gradientPassed, line) { gradientPassed = try cursor.double(line) }
        seconds = try cursor.double(Key.seconds, line)
    }
}

extension EpochRecord {
    fileprivate init(_ cursor: inout LineCursor, _ line: Span<UInt8>) throws(UnusualSpelling) {
        typealias Key = CodingKeys
        self.init(
            epoch: try cursor.integer(Key.epoch, line), step: try cursor.integer(Key.step, line),
            examples: try cursor.integer(Key.examples, line),
            seconds: try cursor.double(Key.seconds, line),
            trainLoss: try cursor.measured(Key.trainLoss, line),
            trainAccuracy: try cursor.measured(Key.trainAccuracy, line),
            testLoss: try cursor.measured(Key.testLoss, line),
            testAccuracy: try cursor.measured(Key.testAccuracy, line), weightsSHA256: "")
        if cursor.has(Key.otherDecodingTestAccuracy, line) {
            otherDecodingTestAccuracy = try cursor.double(line)
        }
        if cursor.has(Key.testErrorPassed, line) { testErrorPassed = try cursor.double(line) }
        if cursor.has(Key.testGradientPassed, line) {
            testGradientPassed = try cursor.double(line)
        }
        weightsSHA256 = try cursor.text(Key.weightsSHA256, line)
    }
}
