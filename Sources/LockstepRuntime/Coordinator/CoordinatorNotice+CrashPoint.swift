import CrashPoints
import LockstepProtocol

extension CoordinatorNotice {
    /// What a machine tells people of is a turn of the run.
    var crashPoint: CrashPoint? {
        switch self {
        case .joined: .memberJoined
        case .ready: .memberReady
        case .left: .memberLeft
        case .late: .membersLate
        case .entered: .viewChanged
        case .fallsBack: .serverLost
        case .refused, .expelled, .arbitrates, .undecided, .unaudited, .tooFewWorkers, .malformed,
            .idleWorkers,
            .withoutGoodbye, .dropped:
            nil
        }
    }
}
