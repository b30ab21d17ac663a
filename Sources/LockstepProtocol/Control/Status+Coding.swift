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

extension ByteWriter {
    fileprivate mutating func write(_ member: MemberDescription) {
        write(member.role.rawValue)
        write(member.nonce)
        write(member.arithmeticVersion)
        write(member.host)
        write(member.processID)
        write(member.threads)
        write(member.cores)
        write(member.dataEndpoint) { $0.write($1) }
        write(member.datasetSHA256) { $0.write($1) }
    }

    mutating func write(_ phase: MemberPhase) {
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
            write(progress.lateness) {
                $0.write(list: $1.leaves) { $0.write($1) }
                $0.write(list: $1.unconfirmed) {
                    $0.write($1.node)
                    $0.write($1.sender.rawValue)
                }
                $0.write(UInt32($1.patienceMilliseconds))
            }
            write(progress.checkpoint) { $0.write($1.rawValue) }
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
        case .conflict(let conflict):
            write(UInt8(1))
            write(conflict.node)
            write(list: conflict.votes) {
                $0.write($1.worker.rawValue)
                $0.write($1.checksum)
            }
            write(conflict.difference) {
                $0.write($1.element)
                $0.write($1.first)
                $0.write($1.other)
            }
        }
    }

    mutating func write(_ reason: StopReason) {
        write(reason.exitCode.rawValue)
        write(reason.text)
    }

    mutating func write(_ node: LeafRange) { write(node.firstLeaf..<node.endLeaf) }

    mutating func write(_ leaves: Range<Int>) {
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
            processID: try read(), threads: try readInt(), cores: try readInt(),
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

    mutating func readEndpoint() throws(Failure) -> String {
        try readText(maximumByteCount: Limits.maximumEndpointByteCount)
    }

    mutating func readPhase() throws(Failure) -> MemberPhase {
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
                    halt: try readOptional { (reader) throws(Failure) in try reader.readHalt() },
                    lateness: try readOptional { (reader) throws(Failure) in
                        try reader.readLateness()
                    },
                    checkpoint: try readOptional { (reader) throws(Failure) in
                        try reader.readStep()
                    }))
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

    mutating func readStep() throws(Failure) -> Step {
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
            return .conflict(try readConflict())
        default: throw Failure()
        }
    }

    private mutating func readConflict() throws(Failure) -> Conflict {
        Conflict(
            node: try readNode(),
            votes: try readList(atMost: Limits.maximumVotes) { (reader) throws(Failure) in
                Conflict.Vote(
                    worker: Incarnation(rawValue: try reader.read()), checksum: try reader.read())
            },
            difference: try readOptional { (reader) throws(Failure) in
                BitDifference(
                    element: try reader.readText(), first: try reader.read(),
                    other: try reader.read())
            })
    }

    private mutating func readLateness() throws(Failure) -> Lateness {
        Lateness(
            leaves: try readList(atMost: Limits.maximumLateRanges) { (reader) throws(Failure) in
                try reader.readNode()
            },
            unconfirmed: try readList(atMost: Limits.maximumLateRanges) {
                (reader) throws(Failure) in
                UnconfirmedNode(
                    node: try reader.readNode(), sender: Incarnation(rawValue: try reader.read()))
            }, patienceMilliseconds: Int(try read(UInt32.self)))
    }

    mutating func readNode() throws(Failure) -> LeafRange {
        let leaves = try readLeaves()
        return LeafRange(firstLeaf: leaves.lowerBound, leafCount: leaves.count)
    }

    mutating func readReason() throws(Failure) -> StopReason {
        StopReason(try readCase(), try readText())
    }

    mutating func readLeaves() throws(Failure) -> Range<Int> {
        let (start, end) = (Int(try read(UInt32.self)), Int(try read(UInt32.self)))
        guard start <= end, end <= SettingLimits.maximumBatchSize else { throw Failure() }
        return start..<end
    }
}
