import TrainingPlan

/// Writes the fields of a header at their offsets, little-endian; see ``FrameHeader`` for the
/// table.
@unsafe struct FieldWriter {
    private let frame: UnsafeMutableRawBufferPointer

    init(_ frame: UnsafeMutableRawBufferPointer) { unsafe self.frame = frame }

    func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        unsafe frame.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    func clear(_ bytes: Range<Int>) {
        unsafe UnsafeMutableRawBufferPointer(rebasing: frame[bytes])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    func store(_ content: FrameContent) {
        switch content {
        case .status(let number): unsafe store(number.rawValue, at: 20)
        case .assignment(let number, let clock):
            unsafe store(number.rawValue, at: 20)
            unsafe store(clock, at: 28)
        case .traceEvents(let batch):
            unsafe store(batch.eventCount, at: 20)
            unsafe store(batch.clock, at: 24)
            unsafe store(batch.sent, at: 32)
            unsafe store(batch.difference, at: 40)
        case .overviewRequest, .overview, .scaleReply, .channelOffer, .channelWake: break
        case .scaleRequest(let workers): unsafe store(workers, at: 20)
        case .weights(let address): unsafe store(address)
        case .stepReport(let address, let elapsed):
            unsafe store(address)
            unsafe store(elapsed, at: 40)
        case .push(let address, let leaves), .inquiry(let address, let leaves),
            .held(let address, let leaves):
            unsafe store(address)
            unsafe store(UInt32(leaves.firstLeaf), at: 40)
            unsafe store(UInt32(leaves.leafCount), at: 44)
        case .weightsRequest(let address, let wanted):
            unsafe store(address)
            unsafe store(wanted.rawValue, at: 40)
        case .datasetRequest(let request), .datasetPart(let request):
            unsafe store(request.offset, at: 20)
            unsafe store(request.byteCount, at: 28)
        case .snapshotRequest(let request), .snapshotPart(let request):
            unsafe store(request.address)
            unsafe store(UInt32(request.part.offset), at: 40)
            unsafe store(request.part.byteCount, at: 44)
        }
    }

    private func store(_ address: StepAddress) {
        unsafe store(address.run.rawValue, at: 20)
        unsafe store(address.generation.rawValue, at: 24)
        unsafe store(address.step.rawValue, at: 28)
        unsafe store(address.shard.rawValue, at: 36)
    }
}

/// Reads them. What is out of range is found here, so that nothing behind has to mind it.
@unsafe struct FieldReader {
    private let frame: UnsafeRawBufferPointer

    init(_ frame: UnsafeRawBufferPointer) { unsafe self.frame = frame }

    func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int) -> T {
        unsafe T(littleEndian: frame.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Nil for a field that no sender of ours writes.
    func content(_ type: FrameType) -> FrameContent? {
        switch type {
        case .status: return unsafe number.map { .status($0) }
        case .assignment:
            return unsafe number.map { .assignment($0, clock: unsafe load(UInt64.self, at: 28)) }
        case .traceEvents: return unsafe traceBatch.map { .traceEvents($0) }
        case .stepReport:
            return unsafe address.map { .stepReport($0, elapsed: unsafe load(UInt64.self, at: 40)) }
        case .weights: return unsafe address.map { .weights($0) }
        case .push: return unsafe withLeaves { $1.leafCount == 0 ? nil : .push($0, node: $1) }
        case .inquiry: return unsafe withLeaves { .inquiry($0, leaves: $1) }
        case .held: return unsafe withLeaves { .held($0, leaves: $1) }
        case .overviewRequest: return .overviewRequest
        case .overview: return .overview
        case .scaleRequest: return .scaleRequest(workers: unsafe load(UInt32.self, at: 20))
        case .scaleReply: return .scaleReply
        case .channelOffer: return .channelOffer
        case .channelWake: return .channelWake
        case .weightsRequest:
            guard let address = unsafe address else { return nil }
            let wanted = unsafe load(UInt64.self, at: 40)
            guard wanted <= UInt64(Limits.maximumStep) else { return nil }
            return .weightsRequest(address, wanted: Step(rawValue: wanted))
        case .datasetRequest: return unsafe datasetPart.map { .datasetRequest($0) }
        case .datasetPart: return unsafe datasetPart.map { .datasetPart($0) }
        case .snapshotRequest: return unsafe snapshotPart.map { .snapshotRequest($0) }
        case .snapshotPart: return unsafe snapshotPart.map { .snapshotPart($0) }
        }
    }

    private var number: StatementNumber? {
        let number = unsafe load(UInt64.self, at: 20)
        return number <= Limits.maximumStatementNumber ? StatementNumber(rawValue: number) : nil
    }

    private var traceBatch: TraceBatch? {
        let batch = unsafe TraceBatch(
            eventCount: load(UInt32.self, at: 20), clock: load(UInt64.self, at: 24),
            sent: load(UInt64.self, at: 32), difference: load(Int64.self, at: 40))
        let limit = Limits.maximumTraceByteCount / TraceBatch.eventByteCount
        return 1...limit ~= Int(batch.eventCount) ? batch : nil
    }

    private var address: StepAddress? {
        let step = unsafe load(UInt64.self, at: 28)
        let shard = unsafe load(UInt32.self, at: 36)
        guard step <= UInt64(Limits.maximumStep), shard < UInt32(SettingLimits.maximumServers)
        else { return nil }
        return StepAddress(
            run: RunIndex(rawValue: unsafe load(UInt32.self, at: 20)),
            generation: Generation(rawValue: unsafe load(UInt32.self, at: 24)),
            step: Step(rawValue: step), shard: ShardIndex(rawValue: shard))
    }

    private func withLeaves(_ make: (StepAddress, LeafRange) -> FrameContent?) -> FrameContent? {
        let leaves = unsafe LeafRange(
            firstLeaf: Int(load(UInt32.self, at: 40)), leafCount: Int(load(UInt32.self, at: 44)))
        guard let address = unsafe address, leaves.endLeaf <= SettingLimits.maximumBatchSize
        else { return nil }
        return make(address, leaves)
    }

    private var datasetPart: BytePart? {
        let offset = unsafe load(UInt64.self, at: 20)
        guard offset <= UInt64(Limits.maximumDatasetByteCount) else { return nil }
        return unsafe part(offset: offset, countAt: 28)
    }

    private var snapshotPart: SnapshotPart? {
        guard let address = unsafe address else { return nil }
        let offset = UInt64(unsafe load(UInt32.self, at: 40))
        return unsafe part(offset: offset, countAt: 44).map {
            SnapshotPart(address: address, part: $0)
        }
    }

    private func part(offset: UInt64, countAt place: Int) -> BytePart? {
        let byteCount = unsafe load(UInt32.self, at: place)
        guard byteCount <= UInt32(Limits.partByteCount) else { return nil }
        return BytePart(offset: offset, byteCount: byteCount)
    }
}
