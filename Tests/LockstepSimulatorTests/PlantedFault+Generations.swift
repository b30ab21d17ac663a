import LockstepProtocol
import LockstepRuntime
import LockstepSimulator
import TrainingPlan

/// Deliberate faults of whoever keeps a checkpoint, or continues from one.
extension PlantedFault {
    func distortServerOfAGeneration(_ server: inout Distortion<ServerMachine>) {
        switch self {
        case .staysInItsGeneration:
            server.inbound = { message in
                guard case .assignment(_, let assignment) = message,
                    case .serve(_, let duty) = assignment.duty, duty.order.generation > 0
                else { return message }
                return nil
            }
        case .beginsWithItsInitialState:
            server.actions = { action in if case .storeState = action { [] } else { [action] } }
        case .keepsItsStateTooLate:
            var isDue = false
            server.actions = { action in
                switch action {
                case .keepState:
                    isDue = true
                    return []
                case .sendReport(let address) where isDue:
                    isDue = false
                    return [action, .keepState(address.step.next)]
                default: return [action]
                }
            }
        default: break
        }
    }

    func distortCoordinatorOfAGeneration(_ coordinator: inout Distortion<CoordinatorMachine>) {
        switch self {
        case .beginsAtTheWrongStep:
            coordinator.actions = Self.shardDuties { duty in
                if duty.order.firstStep > 0 { duty.order.firstStep = duty.order.firstStep.next }
            }
        case .keepsAnOlderCheckpoint:
            var count = 0
            coordinator.actions = { action in
                guard case .checkpoint = action else { return [action] }
                count += 1
                return count % 2 == 0 ? [] : [action]
            }
        case .sendsNoState:
            coordinator.actions = { action in
                if case .sendStatePart = action { [] } else { [action] }
            }
        default: break
        }
    }

    func distortRecords(_ reporting: inout (ReportingEvent) -> [ReportingEvent]) {
        switch self {
        case .goesOnWithRecordsThatWereNotCutBack:
            var recorded: Step = 0
            reporting = { event in
                switch event {
                case .committed(let step, _):
                    if step < recorded { return [] }
                    recorded = step.next
                case .end: recorded = 0
                default: break
                }
                return [event]
            }
        case .savesBeforeItEvaluates:
            var held: [ReportingEvent] = []
            reporting = { event in
                if case .evaluate = event {
                    held.append(event)
                    return []
                }
                defer { held = [] }
                if case .checkpoint = event { return [event] + held }
                return held + [event]
            }
        case .savesBeforeItRecords:
            var held: [ReportingEvent] = []
            reporting = { event in
                if case .committed = event {
                    defer { held = [event] }
                    return held
                }
                defer { held = [] }
                if case .checkpoint = event { return [event] + held }
                return held + [event]
            }
        default: break
        }
    }
}
