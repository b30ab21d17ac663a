import CrashPoints
import LockstepProtocol

extension CoordinatorNotice {
    /// The turns of a run that people are told of are points to crash at, too.
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
            .withoutGoodbye, .dropped, .movesShards:
            nil
        }
    }
}
