import LockstepProtocol
import LockstepRuntime
import LockstepSimulator
import TrainingPlan

/// Deliberate faults of the protocol: the simulator has to find every one of them out, or it proves
/// nothing.
///
/// Each is a mistake that somebody could make in a machine, written as what its engine then does.
enum PlantedFault: String, CaseIterable, Sendable {
    // The worker's.
    case neverInquires
    case ignoresWhichNodesAreHeld
    case losesWeightsItHasTaken
    case inquiresWithoutBound
    case tellsItsStatusOnce
    case asksForThePartsOfADatasetOnce
    case skipsPartsOfTheDataset
    case computesWithItsInitialWeights
    case keepsItsFirstLeaves
    case skipsTheFirstNodeOfANewView
    case asksForWeightsOnce
    // The server's.
    case answersWhereAWorkerWasFirst
    case answersNoInquiry
    case saysThatEverythingIsHeld
    case reportsAStepOnce
    case forgetsSnapshotsAtOnce
    case takesOldPushesForNewOnes
    case sendsNoSnapshot
    case saysNothingOfLateLeaves
    case hasOnlyTheNewestWeights
    // The coordinator's.
    case assignsOnce
    case neverAcknowledgesSnapshots
    case acknowledgesReportsItHasNot
    case asksForASnapshotOnce
    case losesAPartOfASnapshot
    case leavesWithoutAWord
    case forgetsALeaf
    case tellsNoServerOfNewWorkers
    case recordsAStepTwice
    case recordsNotEveryStep
    case recordsAnEvaluationTooLate
    // Of generations and checkpoints.
    case staysInItsGeneration
    case beginsWithItsInitialState
    case keepsItsStateTooLate
    case beginsAtTheWrongStep
    case keepsAnOlderCheckpoint
    case sendsNoState
    case goesOnWithRecordsThatWereNotCutBack
    case savesBeforeItEvaluates
    case savesBeforeItRecords
    case makesNoCheckpointDurable
    // Of audits.
    case commitsWithoutConfirmation
    case letsAnArbiterSayNothing
    case keepsTheExpelledAmongTheWorkers
    case auditsOnlyItself

    func distortions() -> Distortions {
        var distortions = Distortions()
        distortWorker(&distortions.worker)
        distortServer(&distortions.server)
        distortCoordinator(&distortions.coordinator)
        distortReporting(&distortions.reporting)
        distortAudits(&distortions)
        if self == .makesNoCheckpointDurable { distortions.disk = { ForgetfulDisk($0) } }
        return distortions
    }

    // MARK: Worker

    private func distortWorker(_ worker: inout Distortion<WorkerMachine>) {
        switch self {
        case .neverInquires:
            worker.actions = { action in
                if case .inquire(_, let leaves) = action, leaves.leafCount > 0 {
                    []
                } else {
                    [action]
                }
            }
        case .ignoresWhichNodesAreHeld:
            worker.inbound = { message in if case .held = message { nil } else { message } }
        case .losesWeightsItHasTaken:
            var count = 0
            worker.actions = { action in
                guard case .adopt = action else { return [action] }
                count += 1
                return count % 50 == 0 ? [] : [action]
            }
        case .inquiresWithoutBound:
            worker.actions = { action in
                if case .inquire = action {
                    Array(repeating: action, count: 20_000)
                } else {
                    [action]
                }
            }
        case .tellsItsStatusOnce:
            let once = Once<Int>()
            worker.actions = { action in
                guard case .send(_, let status) = action else { return [action] }
                return once.isFirst(status.phase.kind) ? [action] : []
            }
        case .asksForThePartsOfADatasetOnce:
            let once = Once<BytePart>()
            worker.actions = { action in
                guard case .requestPart(let part) = action else { return [action] }
                return once.isFirst(part) ? [action] : []
            }
        case .skipsPartsOfTheDataset:
            worker.actions = { action in
                if case .storePart(let part) = action, part.offset > 0 { [] } else { [action] }
            }
        default: distortElasticWorker(&worker)
        }
    }

    /// Of workers that come to a run under way, and whose leaves change.
    private func distortElasticWorker(_ worker: inout Distortion<WorkerMachine>) {
        switch self {
        case .computesWithItsInitialWeights:
            var isNew = false
            worker.actions = { action in
                switch action {
                case .requestWeights: isNew = true
                case .adopt where isNew:
                    isNew = false
                    return []
                default: break
                }
                return [action]
            }
        case .keepsItsFirstLeaves:
            worker.inbound = { message in
                guard case .assignment(let number, let assignment) = message,
                    case .work(let session, var duty) = assignment.duty
                else { return message }
                duty.view = 0
                return .assignment(number, Assignment(.work(session, duty)))
            }
        case .skipsTheFirstNodeOfANewView:
            var isNew = false
            worker.actions = { action in
                switch action {
                case .changeView: isNew = true
                case .compute where isNew:
                    isNew = false
                    return []
                default: isNew = false
                }
                return [action]
            }
        case .asksForWeightsOnce:
            let once = Once<StepAddress>()
            worker.actions = { action in
                guard case .requestWeights(let address, _) = action else { return [action] }
                return once.isFirst(address) ? [action] : []
            }
        default: break
        }
    }

    // MARK: Server

    private func distortServer(_ server: inout Distortion<ServerMachine>) {
        switch self {
        case .answersWhereAWorkerWasFirst:
            // What a worker that comes by a new connection gets is only what it asks for.
            var known: Set<PeerHandle> = []
            let once = Once<[UInt64]>()
            server.actions = { action in
                guard case .sendWeights(let peer, let address) = action else { return [action] }
                if address.step <= 10 { known.insert(peer) }
                let isFirst = once.isFirst([UInt64(peer.rawValue), address.step.rawValue])
                return known.contains(peer) || !isFirst ? [action] : []
            }
        case .answersNoInquiry:
            // Without weights alone a worker is done without; who has lost a push needs to be told.
            let once = Once<[UInt64]>()
            server.actions = { action in
                if case .sendHeld = action { return [] }
                guard case .sendWeights(let peer, let address) = action else { return [action] }
                let key = [
                    UInt64(peer.rawValue), UInt64(address.run.rawValue), address.step.rawValue,
                ]
                return once.isFirst(key) ? [action] : []
            }
        case .saysThatEverythingIsHeld:
            server.actions = { action in
                guard case .sendHeld(let peer, let address, let leaves, _) = action else {
                    return [action]
                }
                let all = LeafBits(count: leaves.leafCount) { _ in true }
                return [.sendHeld(to: peer, address, leaves, all)]
            }
        case .reportsAStepOnce:
            let once = Once<StepAddress>()
            server.actions = { action in
                guard case .sendReport(let address) = action else { return [action] }
                return once.isFirst(address) ? [action] : []
            }
        case .forgetsSnapshotsAtOnce:
            server.actions = { action in
                if case .keepSnapshot = action { [] } else { [action] }
            }
        case .takesOldPushesForNewOnes:
            var current: Step = 0
            server.actions = { action in
                if case .apply(let step) = action { current = step.next }
                return [action]
            }
            server.inbound = { message in
                guard case .push(var address, let node, let checksum) = message,
                    address.step.next == current
                else { return message }
                address.step = current
                return .push(address, node, checksum: checksum)
            }
        case .saysNothingOfLateLeaves:
            server.actions = { action in
                guard case .send(let number, var status) = action,
                    case .serving(let place, var progress) = status.phase
                else { return [action] }
                progress.lateness = nil
                status.phase = .serving(place, progress)
                return [.send(number, status)]
            }
        case .hasOnlyTheNewestWeights:
            server.inbound = { message in
                guard case .weightsRequest(let address, _) = message else { return message }
                return .weightsRequest(address, wanted: Step(Limits.maximumStep))
            }
        case .sendsNoSnapshot:
            var count = 0
            server.actions = { action in
                guard case .sendPart = action else { return [action] }
                count += 1
                return count > 3 ? [] : [action]
            }
        default: distortServerOfAGeneration(&server)
        }
    }

    // MARK: Coordinator

    private func distortCoordinator(_ coordinator: inout Distortion<CoordinatorMachine>) {
        switch self {
        case .assignsOnce:
            let once = Once<[Int]>()
            coordinator.actions = { action in
                guard case .send(_, _, let incarnation, let assignment) = action else {
                    return [action]
                }
                return once.isFirst([incarnation.index, assignment.duty.kind]) ? [action] : []
            }
        case .neverAcknowledgesSnapshots:
            coordinator.actions = Self.shardDuties { $0.receipts.snapshots = 0 }
        case .acknowledgesReportsItHasNot:
            coordinator.actions = Self.shardDuties {
                $0.receipts.received = Step($0.receipts.received.index + 3)
            }
        case .asksForASnapshotOnce:
            let once = Once<SnapshotPart>()
            coordinator.actions = { action in
                guard case .requestPart(let part) = action else { return [action] }
                return once.isFirst(part) ? [action] : []
            }
        case .losesAPartOfASnapshot:
            coordinator.actions = { action in
                if case .keepPart(let part) = action, part.address.step > 30 {
                    []
                } else {
                    [action]
                }
            }
        case .leavesWithoutAWord:
            coordinator.actions = { action in
                if case .send(_, _, _, let assignment) = action, case .leave = assignment.duty {
                    []
                } else {
                    [action]
                }
            }
        case .forgetsALeaf:
            coordinator.actions = { action in
                guard case .send(let peer, let number, let incarnation, let assignment) = action,
                    case .work(let session, var duty) = assignment.duty, duty.view > 0
                else { return [action] }
                duty.leaves = duty.leaves.dropLast()
                return [.send(peer, number, incarnation, Assignment(.work(session, duty)))]
            }
        case .tellsNoServerOfNewWorkers:
            var first: [RunIndex: [Incarnation]] = [:]
            coordinator.actions = Self.shardDuties { duty in
                duty.workers = first[duty.order.run, default: duty.workers]
                first[duty.order.run] = duty.workers
            }
        default: distortCoordinatorOfAGeneration(&coordinator)
        }
    }

    static func shardDuties(
        _ change: @escaping (inout ShardDuty) -> Void
    ) -> (CoordinatorAction) -> [CoordinatorAction] {
        { action in
            guard case .send(let peer, let number, let incarnation, let assignment) = action,
                case .serve(let session, var duty) = assignment.duty
            else { return [action] }
            change(&duty)
            return [.send(peer, number, incarnation, Assignment(.serve(session, duty)))]
        }
    }

    private func distortReporting(
        _ reporting: inout (ReportingEvent) -> [ReportingEvent]
    ) {
        switch self {
        case .recordsAStepTwice:
            reporting = { event in
                if case .committed(40, _) = event { [event, event] } else { [event] }
            }
        case .recordsNotEveryStep:
            reporting = { event in if case .committed(40, _) = event { [] } else { [event] } }
        case .recordsAnEvaluationTooLate:
            var held: [ReportingEvent] = []
            reporting = { event in
                if case .evaluate = event {
                    held.append(event)
                    return []
                }
                defer { held = [] }
                return [event] + held
            }
        default: distortRecords(&reporting)
        }
    }
}

/// Tells the first of several equal things.
final class Once<Key: Hashable> {
    private var seen: Set<Key> = []

    func isFirst(_ key: Key) -> Bool { seen.insert(key).inserted }
}

extension MemberPhase {
    fileprivate var kind: Int {
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
    fileprivate var kind: Int {
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
