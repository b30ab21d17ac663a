import TrainingPlan

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
        case .rejoin(let session):
            writer.write(UInt8(5))
            writer.write(session.rawValue)
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
            case 5: duty = .rejoin(SessionID(rawValue: try reader.read()))
            default: return nil
            }
        } catch {
            return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ session: Session) {
        write(session.dataset)
        write(session.runCount)
        write(session.dataEndpoint)
        write(session.workersServe)
    }

    mutating func write(_ dataset: DatasetDescription) {
        write(dataset.name)
        write(dataset.sha256)
        write(dataset.byteCount)
        write(dataset.trainingExampleCount)
        write(dataset.shape.pixels)
        write(dataset.shape.classes)
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
        write(duty.checkpoint) { $0.write($1.rawValue) }
        write(duty.audits.millionths)
    }

    fileprivate mutating func write(_ duty: WorkDuty) {
        write(duty.order)
        write(duty.view.rawValue)
        write(duty.leaves)
        write(duty.lastLeaves)
        write(duty.audit.rate.millionths)
        write(duty.audit.leaves)
        write(duty.audit.lastLeaves)
        write(duty.arbitration) {
            $0.write($1.worker.rawValue)
            $0.write($1.step.rawValue)
            $0.write($1.node)
        }
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
        Session(
            dataset: try readDataset(), runCount: try readInt(), dataEndpoint: try readEndpoint(),
            workersServe: try readBool())
    }

    mutating func readDataset() throws(Failure) -> DatasetDescription {
        let dataset = DatasetDescription(
            name: try readText(), sha256: try readText(), byteCount: try read(),
            trainingExampleCount: try readInt(),
            shape: ExampleShape(pixels: try readInt(), classes: try readInt()))
        guard dataset.byteCount <= UInt64(Limits.maximumDatasetByteCount),
            (0...Limits.maximumDatasetByteCount).contains(dataset.trainingExampleCount)
        else { throw Failure() }
        return dataset
    }

    private mutating func readOrder() throws(Failure) -> RunOrder {
        RunOrder(
            run: RunIndex(rawValue: try read()), configuration: try readConfiguration(),
            generation: Generation(rawValue: try read()), firstStep: try readStep())
    }

    private mutating func readAuditRate() throws(Failure) -> AuditRate {
        let millionths: UInt32 = try read()
        guard millionths <= AuditRate.all else { throw Failure() }
        return AuditRate(millionths: millionths)
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
                received: try readStep(), recorded: try readStep(), snapshots: try readStep()),
            checkpoint: try readOptional { (reader) throws(Failure) in try reader.readStep() },
            audits: try readAuditRate())
    }

    fileprivate mutating func readWorkDuty() throws(Failure) -> WorkDuty {
        let duty = WorkDuty(
            order: try readOrder(), view: ViewNumber(rawValue: try read()),
            leaves: try readLeaves(), lastLeaves: try readLeaves(),
            audit: AuditDuty(
                rate: try readAuditRate(), leaves: try readLeaves(), lastLeaves: try readLeaves()),
            arbitration: try readOptional { (reader) throws(Failure) in
                Arbitration(
                    worker: Incarnation(rawValue: try reader.read()),
                    step: try reader.readStep(), node: try reader.readNode())
            },
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
