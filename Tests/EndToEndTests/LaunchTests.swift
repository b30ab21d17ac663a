import Foundation
import LockstepRuntime
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// One command on every host, and one that starts them all.
    @Suite struct Launches {
        static let training = ["--epochs", "2", "--batch-size", "100"]

        let lockstep: Lockstep
        let reference: EndRecord
        let port = "\(likelyFreePort(count: 3))"

        init() throws {
            lockstep = try Lockstep()
            reference = try lockstep.train(["--workers", "0"] + Self.training)
        }

        // MARK: By rank

        /// The environment of each launcher, for one of so many processes on one host.
        static let launchers:
            [(name: String, environment: @Sendable (Int, Int) -> [String: String])] =
                [
                    (
                        "torchrun",
                        { ["RANK": "\($0)", "WORLD_SIZE": "\($1)", "LOCAL_WORLD_SIZE": "\($1)"] }
                    ),
                    (
                        "Open MPI",
                        {
                            [
                                "OMPI_COMM_WORLD_RANK": "\($0)", "OMPI_COMM_WORLD_SIZE": "\($1)",
                                "OMPI_COMM_WORLD_LOCAL_SIZE": "\($1)",
                            ]
                        }
                    ),
                    (
                        "MPICH",
                        {
                            ["PMI_RANK": "\($0)", "PMI_SIZE": "\($1)", "MPI_LOCALNRANKS": "\($1)"]
                        }
                    ),
                    (
                        "Slurm",
                        {
                            [
                                "SLURM_PROCID": "\($0)", "SLURM_NTASKS": "\($1)",
                                "SLURM_JOB_NODELIST": "127.0.0.1", "SLURM_JOB_ID": "17",
                            ]
                        }
                    ),
                    (
                        "Kubernetes",
                        {
                            [
                                "JOB_COMPLETION_INDEX": "\($0)", "WORLD_SIZE": "\($1)",
                                "MASTER_ADDR": "127.0.0.1",
                            ]
                        }
                    ),
                ]

        @Test(arguments: 0..<launchers.count)
        func ranksInAnyOrderMakeACluster(launcher: Int) throws {
            let (name, environment) = Self.launchers[launcher]
            let ranks = try [2, 0, 1].map { rank in
                let run = try lockstep.start(
                    [
                        "launch", "--json", "--port", port, "--run-dir",
                        lockstep.folder.path("run-\(launcher)"),
                    ] + Self.training, environment(rank, 3))
                usleep(200_000)
                return (rank, run)
            }
            for (rank, process) in ranks {
                let run = process.end()
                #expect(run.status == 0, "rank \(rank): \(run.standardError)")
                #expect(
                    run.standardError.contains("rank \(rank) of 3, launched by \(name)"),
                    "\(run.standardError)")
                guard rank == 0 else { continue }
                let end = try run.end()
                #expect(end.weightsSHA256 == reference.weightsSHA256)
                #expect(end.workers == 3)
            }
        }

        @Test func aJobThatIsStartedAgainGoesOnWithItsRun() throws {
            let job = [
                "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NODELIST": "127.0.0.1",
                "SLURM_JOB_ID": "\(UInt32.random(in: 1_000_000 ... .max))",
            ]
            func launch(_ epochs: Int) throws -> RunningTool {
                try RunningTool(
                    URL(fileURLWithPath: "/bin/sh"),
                    [
                        "-c",
                        "cd \(lockstep.folder.path) && exec \(Lockstep.program.path) launch --json "
                            + "--port \(port) --epochs \(epochs) --batch-size 100",
                    ], environment: lockstep.environment.merging(job) { $1 })
            }
            let first = try launch(400)
            try #require(first.says("epoch  20/400"), "\(first.standardError)")
            first.send(SIGTERM)
            #expect(first.end().status == 143)
            let second = try launch(400).end()
            #expect(second.status == 0, "\(second.standardError)")
            #expect(second.standardError.contains("resumes after step"))
            let whole = try lockstep.train([
                "--workers", "0", "--epochs", "400", "--batch-size", "100",
            ])
            #expect(try second.end().weightsSHA256 == whole.weightsSHA256)
        }

        /// A job has one coordinator: another is told who has the port, and disturbs nobody.
        @Test func aSecondCoordinatorForAJobIsNamed() throws {
            func launch(_ rank: Int, _ folder: String) throws -> RunningTool {
                try lockstep.start(
                    [
                        "launch", "--json", "--port", port, "--run-dir",
                        lockstep.folder.path(folder),
                    ] + Self.training,
                    ["RANK": "\(rank)", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"])
            }
            let first = try launch(0, "first")
            try #require(first.says("listening on"), "\(first.standardError)")
            let second = try launch(0, "second").end()
            #expect(second.status == 69, "\(second.standardError)")
            for words in [":\(port)", "(process \(first.processID))"] {
                #expect(second.message.contains(words), "\(second.message)")
            }
            let sameFolder = try launch(0, "first").end()
            #expect(sameFolder.status == 75, "\(sameFolder.standardError)")
            let worker = try launch(1, "none")
            let run = first.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            #expect(worker.end().status == 0)
        }

        /// Fewer ranks than the job has: the wait is bounded, and says how many are missing.
        @Test func aJobThatLacksARankEndsInTime() throws {
            let run = try lockstep.run(
                ["launch", "--port", port, "--wait-timeout", "2"] + Self.training,
                ["RANK": "0", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"])
            #expect(run.status == 69, "\(run.standardError)")
            #expect(run.message.contains("1 of 3 workers"), "\(run.message)")
        }

        @Test(arguments: [
            ([:], "none of"), (["RANK": "0"], "WORLD_SIZE"),
            (["RANK": "3", "WORLD_SIZE": "3"], "RANK=3: give a number from 0 to 2"),
            (["RANK": "0", "WORLD_SIZE": "many"], "WORLD_SIZE=many"),
            (["OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"], "MASTER_ADDR"),
            (
                ["RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "node1"], "lockstep keys create"
            ),
            (["RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a b"], "MASTER_ADDR"),
        ])
        func anEnvironmentThatDoesNotFitIsNamed(
            environment: [String: String], words: String
        ) throws {
            let run = try lockstep.run(["launch"], environment)
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.message.contains(words), "\(run.message)")
        }

        // MARK: Lists

        @Test func hostfilesAreUnderstood() throws {
            let hosts = try HostList.parse(
                file: """
                    # of the lab
                    node1 slots=4
                      ada@node2:2222   # the new one

                    [fd00::7]:22
                    fd00::8
                    """)
            #expect(try HostList.parse(file: "a\r\nb:22\r\n").map(\.name) == ["a", "b"])
            #expect(hosts.map(\.name) == ["node1", "node2", "fd00::7", "fd00::8"])
            #expect(hosts.map(\.port) == [nil, 2222, 22, nil])
            #expect(
                hosts.map { $0.sshArguments.joined(separator: " ") } == [
                    "node1", "-p 2222 ada@node2", "-p 22 fd00::7", "fd00::8",
                ])
        }

        @Test(arguments: [
            ("a,-oProxyCommand=x", "not a host"), ("a,b,a", "duplicate host"), ("", "no host"),
            ("localhost,b", "cannot reach the first host"), ("a,A", "duplicate host"),
            ("a,b@a:22", "duplicate host"),
            ("$(id)@a", "not a host"),
            ("a,b:port", "not a host"), ("a,b:70000", "not a host"), ("a,[::1", "not a host"),
            ("a,@b", "not a host"),
        ])
        func aListThatDoesNotFitIsNamed(list: String, words: String) throws {
            let run = try lockstep.run(["launch", "--hosts", list])
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.message.contains(words), "\(run.message)")
        }

        @Test(arguments: [
            ["--port", "0"], ["--port", "65535"], ["--min-workers", "3"],
            ["--copy", "--remote-path", "x"],
        ])
        func optionsThatDoNotFitAreToldHere(options: [String]) throws {
            let run = try lockstep.run(["launch", "--hosts", "a,b"] + options)
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.standardError.contains(options[0]), "\(run.standardError)")
        }

        @Test(arguments: [
            ("node[03-07,9],other", "node03"), ("a,b", "a"), ("solo", "solo"),
            ("x,node[1-2]", "x"), ("rack[2-3]n", "rack2n"),
        ])
        func theFirstNodeOfSlurmsListIsFound(list: String, first: String) {
            #expect(HostList.firstSlurmNode(list) == first)
        }
    }
}
