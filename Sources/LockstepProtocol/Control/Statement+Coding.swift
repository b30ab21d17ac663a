import TrainingPlan

/// A statement of the control plane: read and written as the payload of a frame.
package protocol Statement: Sendable {
    /// The payload, in bytes.
    func encoded() -> [UInt8]
    /// Nil for bytes that no ``encoded()`` makes.
    init?(decoding bytes: UnsafeRawBufferPointer)
}

extension Status: Statement {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(member)
        writer.write(reached.rawValue)
        writer.write(phase)
        return writer.bytes
    }

    package init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = unsafe ByteReader(bytes)
        do throws(ByteReader.Failure) {
            member = try reader.readMember()
            reached = try reader.readNumber()
            phase = try reader.readPhase()
        } catch {
            return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

extension Assignment: Statement {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        switch duty {
        case .wait(let session):
            writer.write(UInt8(0))
            writer.write(session)
        case .serve(let session, let duty):
            writer.write(UInt8(1))
            writer.write(session)
            writer.write(duty)
        case .work(let session, let duty):
            writer.write(UInt8(2))
            writer.write(session)
            writer.write(duty)
        case .leave(let farewell):
            writer.write(UInt8(3))
            writer.write(farewell.reason)
            writer.write(farewell.isHeard)
        case .refused(let reason):
            writer.write(UInt8(4))
            writer.write(reason)
        }
        return writer.bytes
    }

    package init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = unsafe ByteReader(bytes)
        do throws(ByteReader.Failure) {
            switch try reader.read(UInt8.self) {
            case 0: duty = .wait(try reader.readSession())
            case 1: duty = .serve(try reader.readSession(), try reader.readShardDuty())
            case 2: duty = .work(try reader.readSession(), try reader.readWorkDuty())
            case 3:
                duty = .leave(
                    Farewell(reason: try reader.readReason(), isHeard: try reader.readBool()))
            case 4: duty = .refused(try reader.readReason())
            default: return nil
            }
        } catch {
            return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

// MARK: Status

extension ByteWriter {
    fileprivate mutating func write(_ member: MemberDescription) {
        write(member.role.rawValue)
        write(member.nonce)
        write(member.arithmeticVersion)
        write(member.host)
        write(member.processID)
        write(member.threads)
        write(member.dataEndpoint) { $0.write($1) }
        write(member.datasetSHA256) { $0.write($1) }
    }

    fileprivate mutating func write(_ phase: MemberPhase) {
        switch phase {
        case .joining(let byteCount):
            write(UInt8(0))
            write(byteCount)
        case .ready: write(UInt8(1))
        case .preparing(let place):
            write(UInt8(2))
            write(place)
        case .serving(let place, let progress):
            write(UInt8(3))
            write(place)
            write(progress.step.rawValue)
            write(progress.activity.rawValue)
            write(progress.halt) { $0.write($1) }
        case .working(let place, let progress):
            write(UInt8(4))
            write(place)
            write(progress.step.rawValue)
            write(progress.activity.rawValue)
        case .failed(let reason):
            write(UInt8(5))
            write(reason)
        case .leaving(let reason):
            write(UInt8(6))
            write(reason)
        }
    }

    private mutating func write(_ place: RunPlace) {
        write(place.run.rawValue)
        write(place.generation.rawValue)
        write(place.view.rawValue)
    }

    private mutating func write(_ halt: Halt) {
        switch halt {
        case .diverged(let finding):
            write(UInt8(0))
            write(finding.quantity.rawValue)
            write(finding.tensor)
        case .conflict(let node, let first, let second):
            write(UInt8(1))
            write(node.firstLeaf..<node.endLeaf)
            write(first.rawValue)
            write(second.rawValue)
        }
    }

    fileprivate mutating func write(_ reason: StopReason) {
        write(reason.exitCode.rawValue)
        write(reason.text)
    }

    fileprivate mutating func write(_ leaves: Range<Int>) {
        write(UInt32(leaves.lowerBound))
        write(UInt32(leaves.upperBound))
    }
}

extension ByteReader {
    fileprivate mutating func readMember() throws(Failure) -> MemberDescription {
        let role: Role = try readCase()
        let nonce: UInt64 = try read()
        let arithmeticVersion = try readInt()
        return MemberDescription(
            role: role, nonce: nonce,
            host: try readText(maximumByteCount: Limits.maximumHostByteCount),
            processID: try read(), threads: try readInt(),
            dataEndpoint: try readOptional { (reader) throws(Failure) in
                try reader.readEndpoint()
            },
            datasetSHA256: try readOptional { (reader) throws(Failure) in try reader.readText() },
            arithmeticVersion: arithmeticVersion)
    }

    fileprivate mutating func readNumber() throws(Failure) -> StatementNumber {
        let number: UInt64 = try read()
        guard number <= Limits.maximumStatementNumber else { throw Failure() }
        return StatementNumber(rawValue: number)
    }

    fileprivate mutating func readEndpoint() throws(Failure) -> String {
        try readText(maximumByteCount: Limits.maximumEndpointByteCount)
    }

    fileprivate mutating func readPhase() throws(Failure) -> MemberPhase {
        switch try read(UInt8.self) {
        case 0:
            let byteCount: UInt64 = try read()
            guard byteCount <= UInt64(Limits.maximumDatasetByteCount) else { throw Failure() }
            return .joining(datasetBytes: byteCount)
        case 1: return .ready
        case 2: return .preparing(try readPlace())
        case 3:
            return .serving(
                try readPlace(),
                ServerProgress(
                    step: try readStep(), activity: try readCase(),
                    halt: try readOptional { (reader) throws(Failure) in try reader.readHalt() }))
        case 4:
            return .working(
                try readPlace(),
                WorkerProgress(step: try readStep(), activity: try readCase()))
        case 5: return .failed(try readReason())
        case 6: return .leaving(try readReason())
        default: throw Failure()
        }
    }

    private mutating func readPlace() throws(Failure) -> RunPlace {
        RunPlace(
            run: RunIndex(rawValue: try read()), generation: Generation(rawValue: try read()),
            view: ViewNumber(rawValue: try read()))
    }

    fileprivate mutating func readStep() throws(Failure) -> Step {
        let step: UInt64 = try read()
        guard step <= UInt64(Limits.maximumStep) else { throw Failure() }
        return Step(rawValue: step)
    }

    private mutating func readHalt() throws(Failure) -> Halt {
        switch try read(UInt8.self) {
        case 0:
            return .diverged(
                DivergenceFinding(quantity: try readCase(), tensor: try readText()))
        case 1:
            let leaves = try readLeaves()
            return .conflict(
                node: LeafRange(firstLeaf: leaves.lowerBound, leafCount: leaves.count),
                Incarnation(rawValue: try read()), Incarnation(rawValue: try read()))
        default: throw Failure()
        }
    }

    fileprivate mutating func readReason() throws(Failure) -> StopReason {
        StopReason(try readCase(), try readText())
    }

    fileprivate mutating func readLeaves() throws(Failure) -> Range<Int> {
        let (start, end) = (Int(try read(UInt32.self)), Int(try read(UInt32.self)))
        guard start <= end, end <= SettingLimits.maximumBatchSize else { throw Failure() }
        return start..<end
    }
}

// MARK: Assignment

extension ByteWriter {
    fileprivate mutating func write(_ session: Session) {
        write(session.dataset.name)
        write(session.dataset.sha256)
        write(session.dataset.byteCount)
        write(session.dataset.trainingExampleCount)
        write(session.dataset.shape.pixels)
        write(session.dataset.shape.classes)
        write(session.runCount)
        write(session.dataEndpoint)
    }

    private mutating func write(_ order: RunOrder) {
        write(order.run.rawValue)
        write(order.configuration)
        write(order.generation.rawValue)
        write(order.firstStep.rawValue)
    }

    fileprivate mutating func write(_ duty: ShardDuty) {
        write(duty.order)
        write(duty.shard.rawValue)
        write(duty.shardCount)
        write(list: duty.workers) { $0.write($1.rawValue) }
        write(duty.receipts.received.rawValue)
        write(duty.receipts.recorded.rawValue)
        write(duty.receipts.snapshots.rawValue)
    }

    fileprivate mutating func write(_ duty: WorkDuty) {
        write(duty.order)
        write(duty.view.rawValue)
        write(duty.leaves)
        write(duty.lastLeaves)
        write(list: duty.servers) {
            $0.write($1.incarnation.rawValue)
            $0.write($1.endpoint)
        }
        write(duty.workerCount)
        write(duty.workersOnHost)
    }
}

extension ByteReader {
    fileprivate mutating func readSession() throws(Failure) -> Session {
        let dataset = DatasetDescription(
            name: try readText(), sha256: try readText(), byteCount: try read(),
            trainingExampleCount: try readInt(),
            shape: ExampleShape(pixels: try readInt(), classes: try readInt()))
        guard dataset.byteCount <= UInt64(Limits.maximumDatasetByteCount),
            (0...Limits.maximumDatasetByteCount).contains(dataset.trainingExampleCount)
        else { throw Failure() }
        return Session(
            dataset: dataset, runCount: try readInt(), dataEndpoint: try readEndpoint())
    }

    private mutating func readOrder() throws(Failure) -> RunOrder {
        RunOrder(
            run: RunIndex(rawValue: try read()), configuration: try readConfiguration(),
            generation: Generation(rawValue: try read()), firstStep: try readStep())
    }

    fileprivate mutating func readShardDuty() throws(Failure) -> ShardDuty {
        let order = try readOrder()
        let shard: UInt32 = try read()
        let shardCount = try readInt()
        guard (1...SettingLimits.maximumServers).contains(shardCount), Int(shard) < shardCount
        else { throw Failure() }
        return ShardDuty(
            order: order, shard: ShardIndex(rawValue: shard), shardCount: shardCount,
            workers: try readList(atMost: Limits.maximumWorkers) {
                (reader) throws(Failure) in Incarnation(rawValue: try reader.read())
            },
            receipts: Receipts(
                received: try readStep(), recorded: try readStep(), snapshots: try readStep()))
    }

    fileprivate mutating func readWorkDuty() throws(Failure) -> WorkDuty {
        let duty = WorkDuty(
            order: try readOrder(), view: ViewNumber(rawValue: try read()),
            leaves: try readLeaves(), lastLeaves: try readLeaves(),
            servers: try readList(atMost: SettingLimits.maximumServers) {
                (reader) throws(Failure) in
                ServerAddress(
                    incarnation: Incarnation(rawValue: try reader.read()),
                    endpoint: try reader.readEndpoint())
            }, workerCount: try readInt(), workersOnHost: try readInt())
        let workerCounts = 1...Limits.maximumWorkers
        guard !duty.servers.isEmpty, workerCounts.contains(duty.workerCount),
            workerCounts.contains(duty.workersOnHost)
        else { throw Failure() }
        return duty
    }
}
