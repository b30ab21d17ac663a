import LockstepProtocol
import LockstepSimulator
import TrainingPlan

/// Deliberate faults of audits: wrong sums get in, or a disagreement has no end.
extension PlantedFault {
    func distortAudits(_ distortions: inout Distortions) {
        switch self {
        case .commitsWithoutConfirmation:
            distortions.server.inbound = { message in
                guard case .assignment(let number, let assignment) = message,
                    case .serve(let session, var duty) = assignment.duty
                else { return message }
                duty.audits = .none
                return .assignment(number, Assignment(.serve(session, duty)))
            }
        case .letsAnArbiterSayNothing:
            distortions.worker.inbound = { message in
                guard case .assignment(let number, let assignment) = message,
                    case .work(let session, var duty) = assignment.duty
                else { return message }
                duty.arbitration = nil
                return .assignment(number, Assignment(.work(session, duty)))
            }
        case .keepsTheExpelledAmongTheWorkers:
            var known: [RunIndex: Set<Incarnation>] = [:]
            distortions.coordinator.actions = Self.shardDuties { duty in
                known[duty.order.run, default: []].formUnion(duty.workers)
                duty.workers = known[duty.order.run]?.sorted() ?? []
            }
        case .auditsOnlyItself:
            distortions.worker.inbound = { message in
                guard case .assignment(let number, let assignment) = message,
                    case .work(let session, var duty) = assignment.duty
                else { return message }
                (duty.audit.leaves, duty.audit.lastLeaves) = (duty.leaves, duty.lastLeaves)
                return .assignment(number, Assignment(.work(session, duty)))
            }
        default: break
        }
    }
}
