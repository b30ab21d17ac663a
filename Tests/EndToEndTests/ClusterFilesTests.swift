import Foundation
import LockstepRuntime
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// The files for other people's schedulers, each run or judged as its scheduler would.
    @Suite struct ClusterFiles {
        static let folder: URL = {
            var root = URL(fileURLWithPath: #filePath)
            for _ in 0..<3 { root.deleteLastPathComponent() }
            return root.appendingPathComponent("Cluster")
        }()

        static func text(_ name: String) throws -> String {
            try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        }

        /// A program of the system; nil where it is not installed.
        static func tool(_ name: String) -> URL? {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            let folders = path.split(separator: ":").map(String.init) + ["/usr/sbin"]
            return folders.map { URL(fileURLWithPath: "\($0)/\(name)") }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) }
        }

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep(usesKeys: true) }

        // MARK: systemd

        static let units = ["lockstep-coordinator.service", "lockstep-worker.service"]

        @Test(
            .enabled(if: tool("systemd-analyze") != nil, "needs systemd-analyze"), arguments: units)
        func aUnitIsWellFormedAndConfined(unit: String) throws {
            let analyze = try #require(Self.tool("systemd-analyze"))
            // The program is not installed here.
            let text = try Self.text("systemd/\(unit)")
                .replacing("/usr/local/bin/lockstep", with: Lockstep.program.path)
            try lockstep.folder.write(text, unit)
            let path = lockstep.folder.path(unit)
            let verified = try ToolRun(analyze, ["verify", path])
            // It ends with 0 also where it does not know a key.
            #expect(verified.status == 0 && verified.output == "", "\(verified.output)")
            let judged = try ToolRun(
                analyze, ["security", "--offline=true", "--threshold=30", path])
            #expect(judged.status == 0, "\(judged.output)")
        }

        /// What the units start, with this host's name and a folder of the test in place of theirs.
        @Test func theCommandsOfTheUnitsTrain() throws {
            let training = "--epochs 2 --batch-size 100"
            let reference = try lockstep.train(
                ["--workers", "0"] + training.split(separator: " ").map(String.init))
            let port = likelyFreePort(count: 3)
            let key = try lockstep.makeKey()
            let processes = try Self.units.map { unit in
                let text = try Self.text("systemd/\(unit)")
                let command = try #require(text.firstMatch(of: /ExecStart=(.*)/)).output.1
                    .replacing("/usr/local/bin/lockstep", with: Lockstep.program.path)
                    .replacing("/var/lib/lockstep", with: lockstep.folder.path)
                    .replacing("tcp://*", with: "tcp://127.0.0.1")
                    .replacing(":29500", with: ":\(port)")
                return try RunningTool(
                    URL(fileURLWithPath: "/bin/sh"), ["-c", "exec \(command)"],
                    environment: lockstep.environment.merging([
                        "LOCKSTEP_KEY_FILE": key, "COORDINATOR": "tcp://127.0.0.1:\(port)",
                        "ARGUMENTS": unit.contains("coordinator")
                            ? training + " --workers 1 --json" : "",
                    ]) { $1 })
            }
            let run = processes[0].end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardOutput.contains(reference.weightsSHA256))
            #expect(processes[1].end().status == 0)
        }

        // MARK: Slurm

        /// `srun` starts the job's command once for each node; here all nodes are this host.
        @Test func theBatchScriptTrains() throws {
            let training = ["--epochs", "2", "--batch-size", "100"]
            let reference = try lockstep.train(["--workers", "0"] + training)
            try lockstep.folder.write(
                """
                #!/bin/sh
                while [ "${1#--}" != "$1" ]; do shift; done
                SLURM_PROCID=1 "$@" &
                SLURM_PROCID=0 "$@"
                status=$?
                wait
                exit $status
                """, "srun")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: lockstep.folder.path("srun"))
            let path = lockstep.environment["PATH"] ?? "/usr/bin:/bin"
            let script = Self.folder.appendingPathComponent("slurm/lockstep.sbatch").path
            let run = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"),
                [
                    "-c",
                    "cd \(lockstep.folder.path) && exec bash \(script) --json --threads 1 $TRAINING",
                ],
                environment: lockstep.environment.merging([
                    "PATH": "\(lockstep.folder.path):\(path)", "LOCKSTEP": Lockstep.program.path,
                    "SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "127.0.0.1",
                    "MASTER_PORT": "\(likelyFreePort(count: 3))",
                    "TRAINING": training.joined(separator: " "),
                ]) { $1 }
            ).end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(
                FileManager.default.fileExists(
                    atPath: lockstep.folder.path("runs/slurm-7/metrics.jsonl")))
        }

        // MARK: MPI

        @Test(.enabled(if: tool("mpirun.openmpi") != nil, "needs Open MPI"))
        func openMPIStartsACluster() throws {
            try startsACluster("mpirun.openmpi", ["--allow-run-as-root", "--oversubscribe"])
        }

        @Test(.enabled(if: tool("mpiexec.hydra") != nil, "needs MPICH"))
        func mpichStartsACluster() throws { try startsACluster("mpiexec.hydra", []) }

        private func startsACluster(_ launcher: String, _ flags: [String]) throws {
            let training = ["--epochs", "2", "--batch-size", "100"]
            let reference = try lockstep.train(["--workers", "0"] + training)
            let run = try RunningTool(
                #require(Self.tool(launcher)),
                flags + [
                    "-n", "3", Lockstep.program.path, "launch", "--json", "--threads", "1",
                    "--run-dir", lockstep.folder.path("run"), "--port",
                    "\(likelyFreePort(count: 3))",
                ] + training, environment: lockstep.environment
            ).end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardOutput.contains(reference.weightsSHA256), "\(run.standardOutput)")
        }

        // MARK: ssh

        @Test func theHostfileIsUnderstood() throws {
            let hosts = try HostList.parse(file: Self.text("ssh/hosts"))
            #expect(hosts.map(\.name) == ["node1", "node2", "node3"])
            #expect(hosts.last?.user == "ada" && hosts.last?.port == 2222)
        }

        // MARK: Containers and Kubernetes

        /// What a pod of the Job runs, three times, as its user and with its environment; the probe
        /// with it. Names and folders are of this host.
        @Test(.enabled(if: getuid() == 0, "being somebody else takes root"))
        func theCommandsOfTheJobTrain() throws {
            let manifest = try Self.text("kubernetes/lockstep.yaml")
            let port = likelyFreePort(count: 3)
            let folder = lockstep.folder
            for path in [folder.path("runs"), folder.path("cache")] {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true)
                try FileManager.default.setAttributes(
                    [.ownerAccountID: 65_532, .groupOwnerAccountID: 65_532], ofItemAtPath: path)
            }
            let key = try lockstep.makeKey()
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o440, .groupOwnerAccountID: 65_532], ofItemAtPath: key)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: folder.path)
            func words(behind mark: String, before end: String) throws -> [String] {
                let block = try #require(manifest.split(separator: mark).dropFirst().first)
                return try #require(block.split(separator: end).first)
                    .matches(of: /- "?([^"\n]+)"?/).map { String($0.output.1) }
                    .map {
                        $0.replacing("/run/lockstep/cluster.key", with: key)
                            .replacing("/runs/lockstep", with: folder.path("runs/lockstep"))
                            .replacing("lockstep-0.lockstep:29500", with: "127.0.0.1:\(port)")
                    }
            }
            let program = folder.path("lockstep")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: program)
            func start(_ command: [String], _ index: Int) throws -> RunningTool {
                try RunningTool(
                    URL(fileURLWithPath: "/usr/bin/setpriv"),
                    ["--reuid=65532", "--regid=65532", "--clear-groups", program] + command,
                    environment: [
                        "HOME": "/tmp", "XDG_CACHE_HOME": folder.path("cache"),
                        "JOB_COMPLETION_INDEX": "\(index)", "WORLD_SIZE": "3",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)",
                        "LOCKSTEP_DATA": lockstep.environment["LOCKSTEP_DATA"] ?? "",
                    ])
            }
            let arguments = try words(behind: "args:", before: "env:")
            #expect(arguments.first == "launch" && arguments.contains(key))
            let job = arguments + ["--json", "--threads", "1"]
            let pods = try [1, 2, 0].map { try start(job, $0) }
            try #require(pods[2].says("is ready"), "\(pods[2].standardError)")
            let probe = try words(behind: "command: &status", before: "periodSeconds")
            let status = try start(Array(probe.dropFirst()), 0).end()
            #expect(status.status == 0, "\(status.standardError)")
            let run = pods[2].end()
            #expect(run.status == 0, "\(run.standardError)")
            let reference = try lockstep.train(["--workers", "0", "--epochs", "10"])
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            for pod in pods.prefix(2) { #expect(pod.end().status == 0) }
        }

        /// A secret that is mounted belongs to root and is read by the pod's group.
        @Test(.enabled(if: getuid() == 0, "being somebody else takes root"))
        func aMountedSecretIsAKey() throws {
            let key = try lockstep.makeKey()
            let program = lockstep.folder.path("lockstep")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: program)
            let user = ["--reuid=65532", "--regid=65532", "--clear-groups", program]
            for (mode, status) in [(0o440, 0), (0o444, 77), (0o460, 77), (0o400, 77)] {
                try FileManager.default.setAttributes(
                    [.posixPermissions: mode, .groupOwnerAccountID: 65_532], ofItemAtPath: key)
                let run = try RunningTool(
                    URL(fileURLWithPath: "/usr/bin/setpriv"), user + ["keys", "show", key],
                    environment: ["HOME": "/"]
                ).end()
                #expect(Int(run.status) == status, "mode \(String(mode, radix: 8)): \(run.output)")
            }
        }
    }
}
