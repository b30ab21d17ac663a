import Foundation
import LockstepProtocol

/// The time that the model takes to go around between two workers and a server: that of the bare
/// program of the peers, or where it cannot be had that of Lockstep's own frames.
struct BareExchange {
    struct Result {
        let name: String
        let microseconds: Double
    }

    private let folder: TemporaryFolder
    private let program: String?

    init(_ peers: Peers, _ folder: TemporaryFolder) {
        self.folder = folder
        program =
            switch peers.bareExchange(folder) {
            case .available(let program): program
            case .missing: nil
            }
    }

    /// The parameters of 784-128-10.
    static let modelFloats = 101_770

    func measure(steps: Int) throws -> Result {
        let shape = ExchangeShape(workers: 2, servers: 1, floats: Self.modelFloats, steps: steps)
        if let program {
            let times = try (0..<3).map { _ in try Self.run(program, shape, folder) }
            return Result(name: "the bare exchange (zmq_floor)", microseconds: times.min() ?? 0)
        }
        let times = try (0..<3).map { _ in try Exchange(folder: folder).measure(shape) }
        return Result(name: "the exchange of Lockstep's frames", microseconds: times.min() ?? 0)
    }

    /// Runs the compiled `zmq_floor.c`.
    static func run(
        _ program: String, _ shape: ExchangeShape, _ folder: TemporaryFolder
    ) throws -> Double {
        let child = try Child(
            [
                program, "tcp://127.0.0.1:\(try freePort())", "\(shape.workers)",
                "\(shape.floats)", "\(shape.steps)",
            ], folder: folder)
        let output = try child.waitForOutput(seconds: 120)
        struct Answer: Decodable {
            let microseconds: Double

            enum CodingKeys: String, CodingKey {
                case microseconds = "microseconds_per_step"
            }
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output.utf8)) else {
            throw BenchError(.internalError, "zmq_floor printed no time: \(output)")
        }
        return answer.microseconds
    }
}
