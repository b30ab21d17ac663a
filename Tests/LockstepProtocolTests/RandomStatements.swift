import LockstepProtocol
import TestSupport
import TrainingPlan

/// Random statements: each phase and duty, with every field that it may have.
extension SeededRandom {
    private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }

    private mutating func element<T>(_ values: [T]) -> T { values[below(values.count)] }

    private mutating func maybe<T>(_ value: (inout SeededRandom) -> T) -> T? {
        below(3) == 0 ? nil : value(&self)
    }

    /// Printable: from several alphabets, now and then as long as a text may be.
    private mutating func text(atMost byteCount: Int = Limits.maximumTextByteCount) -> String {
        let letters = ["a", "Z", "0", "-", " ", "/", "é", "ß", "Ж", "網", "👍", "\u{301}", "\""]
        let length = below(20) == 0 ? byteCount : below(12)
        var result = ""
        while true {
            let next = element(letters)
            if result.utf8.count + next.utf8.count > length { return result }
            result += next
        }
    }

    private mutating func step() -> Step {
        Step(Int.random(in: 0...Limits.maximumStep, using: &self))
    }

    private mutating func incarnation() -> Incarnation {
        Incarnation(rawValue: .random(in: 0 ... .max, using: &self))
    }

    mutating func reason() -> StopReason {
        StopReason(element(ExitCode.allCases), text())
    }

    private mutating func place() -> RunPlace {
        RunPlace(
            run: RunIndex(rawValue: .random(in: 0 ... .max, using: &self)),
            generation: Generation(rawValue: .random(in: 0 ... .max, using: &self)),
            view: ViewNumber(rawValue: .random(in: 0 ... .max, using: &self)))
    }

    private mutating func leaves() -> Range<Int> {
        let start = below(SettingLimits.maximumBatchSize)
        return start..<Int.random(in: start...SettingLimits.maximumBatchSize, using: &self)
    }

    private mutating func halt() -> Halt {
        guard below(2) == 0 else {
            return .diverged(
                DivergenceFinding(
                    quantity: element(DivergenceFinding.Quantity.allCases), tensor: text()))
        }
        return .conflict(
            Conflict(
                node: node(),
                votes: (0..<below(Limits.maximumVotes + 1)).map { _ in
                    Conflict.Vote(worker: incarnation(), checksum: next())
                },
                difference: maybe {
                    BitDifference(
                        element: $0.text(), first: UInt32(truncatingIfNeeded: $0.next()),
                        other: UInt32(truncatingIfNeeded: $0.next()))
                }))
    }

    private mutating func node() -> LeafRange {
        let leaves = leaves()
        return LeafRange(leaves.lowerBound, leaves.count)
    }

    private mutating func auditRate() -> AuditRate {
        AuditRate(millionths: UInt32(below(1_000_001)))
    }

    private mutating func lateness() -> Lateness {
        let count = below(10) == 0 ? Limits.maximumLateRanges : below(4)
        return Lateness(
            leaves: (0..<count).map { _ in node() },
            unconfirmed: (0..<count).map { _ in
                UnconfirmedNode(node: node(), sender: incarnation())
            }, patienceMilliseconds: Int(UInt32.random(in: 0 ... .max, using: &self)))
    }

    private mutating func phase() -> MemberPhase {
        switch below(7) {
        case 0: .joining(datasetBytes: UInt64(below(Limits.maximumDatasetByteCount + 1)))
        case 1: .ready
        case 2: .preparing(place())
        case 3:
            .serving(
                place(),
                ServerProgress(
                    step: step(), activity: element(ServerProgress.Activity.allCases),
                    halt: maybe { $0.halt() }, lateness: maybe { $0.lateness() },
                    checkpoint: maybe { $0.step() }))
        case 4:
            .working(
                place(),
                WorkerProgress(step: step(), activity: element(WorkerProgress.Activity.allCases)))
        case 5: .failed(reason())
        default: .leaving(reason())
        }
    }

    mutating func status() -> Status {
        Status(
            member: MemberDescription(
                role: element(Role.allCases), nonce: next(),
                host: text(atMost: Limits.maximumHostByteCount),
                processID: .random(in: .min ... .max, using: &self),
                threads: .random(in: .min ... .max, using: &self),
                dataEndpoint: maybe { $0.text(atMost: Limits.maximumEndpointByteCount) },
                datasetSHA256: maybe { $0.text() },
                arithmeticVersion: .random(in: .min ... .max, using: &self)),
            reached: StatementNumber(
                rawValue: .random(in: 0...Limits.maximumStatementNumber, using: &self)),
            phase: phase())
    }

    private mutating func session() -> Session {
        Session(
            dataset: DatasetDescription(
                name: text(), sha256: text(),
                byteCount: UInt64(below(Limits.maximumDatasetByteCount + 1)),
                trainingExampleCount: below(Limits.maximumDatasetByteCount + 1)),
            runCount: .random(in: .min ... .max, using: &self),
            dataEndpoint: text(atMost: Limits.maximumEndpointByteCount))
    }

    /// Often one that cannot be trained: whoever receives it checks that.
    private mutating func configuration() -> RunConfiguration {
        if below(4) == 0 { return .everythingSet }
        return RunConfiguration(
            name: text(),
            architecture: NetworkArchitecture(
                layers: (0..<below(SettingLimits.maximumLayers + 1)).map { _ in
                    .random(in: .min ... .max, using: &self)
                },
                hidden: element(Activation.allCases), output: element(Activation.allCases),
                loss: element(Loss.allCases), targets: element(TargetEncoding.allCases),
                decoding: element(OutputDecoding.allCases)),
            optimizer: OptimizerSettings(
                kind: element(OptimizerSettings.Kind.allCases),
                learningRate: .random(in: -1...1, using: &self), weightDecay: -0.0,
                schedule: LearningRateSchedule(
                    shape: element(LearningRateSchedule.Shape.allCases),
                    warmupSteps: .random(in: .min ... .max, using: &self))),
            batchSize: .random(in: .min ... .max, using: &self),
            microBatch: maybe { .random(in: .min ... .max, using: &$0) },
            epochs: .random(in: .min ... .max, using: &self), seed: next(),
            targetAccuracy: maybe { .random(in: -1e300...1e300, using: &$0) },
            validationExamples: .random(in: .min ... .max, using: &self),
            evaluateEvery: maybe { .random(in: .min ... .max, using: &$0) })
    }

    private mutating func order() -> RunOrder {
        let place = place()
        return RunOrder(
            run: place.run, configuration: configuration(), generation: place.generation,
            firstStep: step())
    }

    private mutating func shardDuty() -> ShardDuty {
        let shardCount = 1 + below(SettingLimits.maximumServers)
        return ShardDuty(
            order: order(), shard: ShardIndex(below(shardCount)), shardCount: shardCount,
            workers: (0..<below(40)).map { _ in incarnation() },
            receipts: Receipts(received: step(), recorded: step(), snapshots: step()),
            checkpoint: maybe { $0.step() }, audits: auditRate())
    }

    private mutating func workDuty() -> WorkDuty {
        let order = order()
        let view = place().view
        return WorkDuty(
            order: order, view: view, leaves: leaves(), lastLeaves: leaves(),
            audit: AuditDuty(rate: auditRate(), leaves: leaves(), lastLeaves: leaves()),
            arbitration: maybe {
                Arbitration(worker: $0.incarnation(), step: $0.step(), node: $0.node())
            },
            servers: (0...below(5)).map { _ in
                ServerAddress(
                    incarnation: incarnation(),
                    endpoint: text(atMost: Limits.maximumEndpointByteCount))
            }, workerCount: 1 + below(Limits.maximumWorkers),
            workersOnHost: 1 + below(Limits.maximumWorkers))
    }

    mutating func assignment() -> Assignment {
        switch below(6) {
        case 0: Assignment(.wait(session()))
        case 1: Assignment(.serve(session(), shardDuty()))
        case 2: Assignment(.work(session(), workDuty()))
        case 3: Assignment(.leave(Farewell(reason: reason(), isHeard: below(2) == 0)))
        case 4: Assignment(.refused(reason()))
        default: Assignment(.rejoin(.init(rawValue: .random(in: 0 ... .max, using: &self))))
        }
    }

    mutating func overview() -> ClusterOverview {
        var overview = ClusterOverview(
            stage: element(ClusterOverview.Stage.allCases),
            runCount: .random(in: .min ... .max, using: &self),
            run: maybe { random in
                RunOverview(
                    index: random.place().run, configuration: random.configuration(),
                    generation: random.place().generation, view: random.place().view,
                    step: random.step(), totalSteps: .random(in: .min ... .max, using: &random),
                    checkpoint: random.step())
            },
            members: (0..<below(4)).map { _ in
                MemberOverview(
                    name: MemberName(
                        role: element(Role.allCases), incarnation: incarnation(),
                        host: text(atMost: 63),
                        processID: .random(in: .min ... .max, using: &self)),
                    threads: .random(in: .min ... .max, using: &self), phase: phase(),
                    silentMilliseconds: .random(in: .min ... .max, using: &self),
                    leafCount: .random(in: .min ... .max, using: &self), isLate: below(2) == 0)
            }, dataset: session().dataset,
            dataEndpoints: (0..<below(4)).map { _ in text(atMost: 63) })
        overview.host.release = text(atMost: 63)
        overview.host.arithmeticVersion = .random(in: .min ... .max, using: &self)
        overview.host.clockMilliseconds = .random(in: 0 ... .max, using: &self)
        return overview
    }
}

extension MemberPhase {
    /// A number for each case.
    var kind: Int {
        switch self {
        case .joining: 0
        case .ready: 1
        case .preparing: 2
        case .serving: 3
        case .working: 4
        case .failed: 5
        case .leaving: 6
        }
    }
}

extension Duty {
    /// A number for each case.
    var kind: Int {
        switch self {
        case .wait: 0
        case .serve: 1
        case .work: 2
        case .leave: 3
        case .refused: 4
        case .rejoin: 5
        }
    }
}
