package import LockstepProtocol

extension CoordinatorNotice: CustomStringConvertible {
    package var description: String {
        switch self {
        case .joined(let member, let threads):
            member.role == .worker && threads > 1
                ? "\(member) joined with \(threads) threads" : "\(member) joined"
        case .ready(let member): "\(member) is ready"
        case .refused(let member, let reason):
            "\(member.role.rawValue) process \(member.processID) of host \(member.host) was refused: "
                + reason.text
        case .left(let member, let reason): "\(member) left: \(reason)"
        case .late(let members, let step):
            members.map { "\($0)" }.joined(separator: ", ")
                + (members.count == 1 ? " is" : " are")
                + " late with step \(step): others compute instead"
        case .entered(let member, let step): "\(member) takes its share from step \(step) on"
        case .fallsBack(_, let step): "a server is lost: continuing from step \(step)"
        case .movesShards(_, let step): "shards move to the hosts that are there: from step \(step)"
        case .tooFewWorkers(_, let count):
            "\(count) workers are there, too few to continue: waiting for more"
        case .expelled(_, let reason): "a worker is expelled: \(reason)"
        case .arbitrates(let member, let disagreement): "\(disagreement): asking \(member)"
        case .undecided(let disagreement):
            "\(disagreement): waiting for another worker, to tell who is right"
        case .unaudited: "only one worker is left: its steps are not audited"
        case .malformed(let peer, let error):
            "connection \(peer) sent a frame that was ignored: \(error)"
        case .idleWorkers(_, let count):
            "there are more workers than micro-batches in a step: \(count) of them will idle; a larger "
                + "--batch-size or a smaller --micro-batch gives them work"
        case .withoutGoodbye(let member): "\(member) has not said goodbye"
        case .dropped(let text): "dropped frames: \(text)"
        }
    }
}
