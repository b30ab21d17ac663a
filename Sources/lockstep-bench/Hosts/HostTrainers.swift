import Foundation
import LockstepProtocol

/// Lockstep on several hosts: the coordinator on the first, a worker with one thread on each, the
/// servers where it puts them by itself.
struct HostLockstep {
    let hosts: NetworkHosts
    let data: BenchData
    let folder: TemporaryFolder
    /// nil: `--insecure`.
    let keyFile: String?

    private static let port = 29_500

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        let program = try Tools.lockstep()
        let key = keyFile.map { ["--key", $0] } ?? ["--insecure"]
        let files = ["--data", try data.files(shape.input).folder]
        let environment = LockstepTrainer.environment(folder)
        let address = "tcp://\(NetworkHosts.address(0)):\(Self.port)"
        let workers = try (0..<shape.workers).map { host in
            try Child(
                hosts.command(
                    host,
                    [program, "worker", "--coordinator", address, "--threads", "\(shape.threads)"]
                        + files + key + ["--log-level", "warning", "--exit-with-standard-input"]),
                environment: environment, folder: folder)
        }
        let coordinator = hosts.command(
            0,
            [program, "coordinator", "--bind", address, "--workers", "\(shape.workers)"] + files
                + key + LockstepTrainer.arguments(shape, runFolder: folder.freshPath("run")))
        let result = try TrainingResult(
            of: coordinator, environment: environment, folder: folder, seconds: 180)
        for worker in workers { _ = try worker.waitForOutput(seconds: 20) }
        return result
    }

    /// A new key.
    static func makeKey(_ folder: TemporaryFolder) throws -> String {
        let path = folder.freshPath("cluster.key")
        let command = [try Tools.lockstep(), "keys", "create", path]
        _ = try Child(command, environment: LockstepTrainer.environment(folder), folder: folder)
            .waitForOutput(seconds: 20)
        return path
    }
}

/// `torch_ddp.py`, started once a host as torchrun does it.
struct HostPyTorch {
    let hosts: NetworkHosts
    let command: [String]
    let data: BenchData
    let folder: TemporaryFolder

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        let files = try data.files(shape.input).folder
        func environment(_ rank: Int) -> [String: String?] {
            [
                "RANK": "\(rank)", "WORLD_SIZE": "\(shape.workers)", "MNIST_DIR": files,
                "MASTER_ADDR": NetworkHosts.address(0), "MASTER_PORT": "29517",
                "GLOO_SOCKET_IFNAME": NetworkHosts.interface(rank), "LAYERS": shape.layersText,
            ]
        }
        let arguments = command + PyTorchTrainer.arguments(shape)
        let others = try (1..<shape.workers).map { rank in
            try Child(
                hosts.command(rank, arguments), environment: environment(rank), folder: folder)
        }
        let result = try TrainingResult(
            of: hosts.command(0, arguments), environment: environment(0), folder: folder,
            seconds: 240)
        for other in others { _ = try other.waitForOutput(seconds: 30) }
        return result
    }
}
