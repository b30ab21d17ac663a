import ArgumentParser
import Foundation

/// `lockstep-bench`: one subcommand a file.
@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockstep-bench",
        abstract: "Measures Lockstep, and beside it what people use, on this machine.",
        discussion: """
            Both sides of a ratio are measured in the same run, alternating, because a machine's \
            speed moves by the minute; only ratios can be compared between runs. Absolute figures \
            are those of the best round of each side; beside each ratio stand the lowest and the \
            highest of its rounds.

            Peers are programs in the folder of --peers: torch_ddp.py (PyTorch), jax_scan.py \
            (JAX), keras_seed.py (Keras), zmq_floor.c and zmq_colocated.c (bare libzmq). What is \
            not installed is left out, with a note.

            Examples:
              lockstep-bench all --peers DIR
              lockstep-bench goals
              lockstep-bench step --input inverted --peers DIR --batch-sizes 512,2048
              lockstep-bench scaling --output scaling.svg
              sudo lockstep-bench hosts --hosts 4 --rate 1gbit --peers DIR
            """,
        subcommands: [
            KernelsCommand.self, CodecCommand.self, TransportCommand.self, StepCommand.self,
            KerasCommand.self, HostsCommand.self, ScalingCommand.self, GoalsCommand.self,
            AllCommand.self, MultiplierCommand.self, ExchangeServerCommand.self,
            ExchangeWorkerCommand.self, ExchangeMemberCommand.self,
        ])

    static func main() {
        _ = signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as BenchError {
            error.exit()
        } catch {
            exit(withError: error)
        }
    }
}
