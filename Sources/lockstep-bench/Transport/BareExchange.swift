import Foundation
import LockstepProtocol
import ZeroMQ

/// The bare programs of the peers: libzmq alone, without headers and checksums.
enum BareProgram: String, CaseIterable, Sendable {
    /// One server process.
    case central = "zmq_floor"
    /// Every process serves a part.
    case colocated = "zmq_colocated"

    /// Which of them does what a shape asks for; nil where none does.
    init?(_ servers: ExchangePlacement) {
        switch servers {
        case .apart(1): self = .central
        case .apart: return nil
        case .colocated: self = .colocated
        }
    }
}

/// The bare programs that can be run here.
struct BareExchange {
    private let folder: TemporaryFolder
    private var programs: [BareProgram: String] = [:]
    /// Why a program is left out.
    private(set) var notes: [String] = []

    init(_ peers: Peers, _ folder: TemporaryFolder) {
        self.folder = folder
        for program in BareProgram.allCases {
            switch peers.bareExchange(program, folder) {
            case .available(let path): programs[program] = path
            case .missing(let reason): notes.append(reason)
            }
        }
    }

    /// The parameters of 784-128-10.
    static let modelFloats = 101_770

    /// - Returns: microseconds a step; nil where no program does this.
    func measure(_ shape: ExchangeShape) throws -> Double? {
        guard let program = BareProgram(shape.servers), let path = programs[program] else {
            return nil
        }
        let child = try Child(
            [
                path, try endpoint(program, shape), "\(shape.workers)", "\(shape.floats)",
                "\(shape.steps)",
            ], folder: folder)
        let output = try child.waitForOutput(seconds: 120)
        struct Answer: Decodable {
            let microseconds: Double

            enum CodingKeys: String, CodingKey {
                case microseconds = "microseconds_per_step"
            }
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output.utf8)) else {
            throw BenchError(.internalError, "\(program.rawValue) printed no time: \(output)")
        }
        return answer.microseconds
    }

    /// Where the program binds; of a colocated one, a format that takes the number of a process.
    private func endpoint(_ program: BareProgram, _ shape: ExchangeShape) throws -> String {
        switch (program, shape.transport) {
        case (.central, .ipc): "ipc://\(folder.freshPath("bare"))"
        case (.colocated, .ipc): "ipc://\(folder.freshPath("bare"))-%02d"
        case (.central, .tcp): "tcp://127.0.0.1:\(try freePort())"
        case (.colocated, .tcp): "tcp://127.0.0.1:\(try Self.freeHundred(shape.workers))%02d"
        }
    }

    /// A hundred H below the ephemeral ports whose first `count` ports, 100 · H and up, are free.
    private static func freeHundred(_ count: Int) throws -> Int {
        for hundred in 271..<320 {
            guard let context = try? Context() else { break }
            let isFree = (0..<count).allSatisfy { offset in
                guard let socket = try? Socket(.dealer, in: context),
                    let endpoint = try? Endpoint("tcp://127.0.0.1:\(hundred * 100 + offset)")
                else { return false }
                return (try? socket.bind(to: endpoint)) != nil
            }
            if isFree { return hundred }
        }
        throw BenchError(
            .unavailable, "there are no \(count) free ports in a row on 127.0.0.1, 27100 to 31999")
    }
}

/// The fastest way that the model's gradient and weights are known to go around between workers of
/// this host: that of the bare programs and of Lockstep's own frames that takes least.
struct ExchangeFloor {
    let name: String
    let microseconds: Double

    init(name: String, microseconds: Double) {
        (self.name, self.microseconds) = (name, microseconds)
    }

    init(
        _ bare: BareExchange, _ folder: TemporaryFolder, workers: Int = 2,
        servers placements: [ExchangePlacement] = [.apart(1), .colocated],
        over transport: ExchangeTransport = .ipc, steps: Int
    ) throws {
        var best = ExchangeFloor(name: "", microseconds: .infinity)
        for servers in placements {
            let shape = ExchangeShape(
                workers: workers, servers: servers, floats: BareExchange.modelFloats, steps: steps,
                transport: transport)
            for _ in 0..<3 {
                let own = try Exchange(folder: folder).measure(shape)
                var found = [(name: "Lockstep's frames alone (\(servers.words))", time: own)]
                if let program = BareProgram(servers), let time = try bare.measure(shape) {
                    found.append(("the bare exchange (\(program.rawValue))", time))
                }
                for (name, time) in found where time < best.microseconds {
                    best = ExchangeFloor(
                        name: "\(name) over \(transport.rawValue)", microseconds: time)
                }
            }
        }
        self = best
    }
}
