import ArgumentParser

/// Where the servers of an exchange are.
enum ExchangePlacement: Hashable, Sendable {
    /// Each in a process of its own.
    case apart(Int)
    /// Each worker's process also serves a part of the vector.
    case colocated

    func count(workers: Int) -> Int {
        switch self {
        case .apart(let count): count
        case .colocated: workers
        }
    }

    var words: String {
        switch self {
        case .apart(1): "1 server"
        case .apart(let count): "\(count) servers"
        case .colocated: "colocated servers"
        }
    }
}

/// Numbers of servers, or "colocated", separated by commas.
struct ServerPlacementList: ExpressibleByArgument, Sendable {
    let values: [ExchangePlacement]

    init(_ values: [ExchangePlacement]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = parts.compactMap { part in
            if part == "colocated" { return .colocated }
            return Int(part).flatMap { $0 > 0 ? .apart($0) : nil }
        }
        if values.isEmpty || values.count != parts.count { return nil }
    }

    var defaultValueDescription: String { "1,colocated" }
}

/// How the processes of an exchange reach each other on this host.
enum ExchangeTransport: String, CaseIterable, Sendable, ExpressibleByArgument {
    case ipc, tcp
}
