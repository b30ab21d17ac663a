import Foundation
import LockstepProtocol

/// Which of the processes of a job this one is, and where the first of them is found, as the
/// launcher of the job says in the environment.
package struct Rank: Equatable, Sendable {
    package var index: Int
    package var count: Int
    /// How many of them share this host, this one included.
    package var countHere: Int
    /// The host of rank 0.
    package var coordinatorHost: String
    package var port: UInt16
    /// What launched the job, for messages.
    package var launcher: String
    /// Tells this job from others, so that one that is started again continues with its run.
    package var job: String?

    package static let defaultPort: UInt16 = 29_500
    /// Data ports follow.
    package static let lastPort: UInt16 = 65_532

    /// - Throws: ``RoleError`` with `usage`, where no launcher is known or what it says does not
    ///   fit.
    package init(environment: [String: String]) throws(RoleError) {
        guard let launcher = Launcher.allCases.first(where: { $0.hasStarted(environment) }),
            let rankText = environment[launcher.rankVariable]
        else {
            throw RoleError(
                .usage,
                "no launcher has started this process: none of "
                    + Launcher.allCases.map(\.rankVariable).joined(separator: ", ")
                    + " is set; start it by srun, mpirun, torchrun or a Job, or name the hosts with "
                    + "--hosts")
        }
        self.launcher = launcher.name
        func number(_ variable: String, _ text: String?, _ range: ClosedRange<Int>)
            throws(RoleError)
            -> Int
        {
            guard let text, !text.isEmpty else {
                throw RoleError(
                    .usage,
                    "\(launcher.name) has set \(launcher.rankVariable) but not \(variable): "
                        + "set it to the number of processes")
            }
            guard let value = Int(text), range.contains(value) else {
                throw RoleError(
                    .usage,
                    "\(variable)=\(text): give a number from \(range.lowerBound) to "
                        + "\(range.upperBound)")
            }
            return value
        }
        let countVariable =
            launcher.countVariables.first { environment[$0] != nil }
            ?? launcher.countVariables[0]
        count = try number(countVariable, environment[countVariable], 1...Limits.maximumWorkers)
        index = try number(launcher.rankVariable, rankText, 0...(count - 1))
        let here = launcher.countHereVariables.lazy.compactMap { environment[$0] }.first
        // Slurm writes 2(x3),1.
        countHere = here.flatMap { Int($0.prefix { $0.isNumber }) } ?? 1
        let given = try number(
            "MASTER_PORT", environment["MASTER_PORT"] ?? "\(Self.defaultPort)",
            1...Int(Self.lastPort))
        // That port belongs to torchrun itself, in a process that stays.
        let isTaken = environment["TORCHELASTIC_USE_AGENT_STORE"] == "True"
        port = UInt16(isTaken ? given + 1 : given)
        job = launcher.jobVariable.flatMap { environment[$0] }.map { "\(launcher.slug)-\($0)" }
        if let host = environment["MASTER_ADDR"], !host.isEmpty {
            coordinatorHost = host
        } else if launcher == .slurm,
            let list = environment["SLURM_STEP_NODELIST"] ?? environment["SLURM_JOB_NODELIST"],
            let first = HostList.firstSlurmNode(list)
        {
            coordinatorHost = first
        } else if countHere == count {
            coordinatorHost = "127.0.0.1"
        } else {
            throw RoleError(
                .usage,
                "\(launcher.name) does not say where rank 0 is: set MASTER_ADDR to its host"
                    + (launcher == .openMPI ? " (mpirun -x MASTER_ADDR=…)" : ""))
        }
    }

    /// Those whose environment is known. One may run inside the job of another: the inner ones come
    /// first.
    private enum Launcher: CaseIterable {
        case openMPI, mpich, torchrun, slurm, kubernetes

        func hasStarted(_ environment: [String: String]) -> Bool {
            // Slurm may set PMI_RANK as well.
            environment[rankVariable] != nil
                && (self != .mpich || environment["MPI_LOCALNRANKS"] != nil)
        }

        var name: String {
            switch self {
            case .openMPI: "Open MPI"
            case .mpich: "MPICH"
            case .slurm: "Slurm"
            case .kubernetes: "Kubernetes"
            case .torchrun: "torchrun"
            }
        }

        var slug: String { name.lowercased().filter { $0 != " " } }

        var rankVariable: String {
            switch self {
            case .openMPI: "OMPI_COMM_WORLD_RANK"
            case .mpich: "PMI_RANK"
            case .slurm: "SLURM_PROCID"
            case .kubernetes: "JOB_COMPLETION_INDEX"
            case .torchrun: "RANK"
            }
        }

        var countVariables: [String] {
            switch self {
            case .openMPI: ["OMPI_COMM_WORLD_SIZE"]
            case .mpich: ["PMI_SIZE"]
            case .slurm: ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"]
            case .kubernetes, .torchrun: ["WORLD_SIZE"]
            }
        }

        var countHereVariables: [String] {
            switch self {
            case .openMPI: ["OMPI_COMM_WORLD_LOCAL_SIZE"]
            case .mpich: ["MPI_LOCALNRANKS"]
            case .slurm: ["SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"]
            case .kubernetes: []
            case .torchrun: ["LOCAL_WORLD_SIZE"]
            }
        }

        var jobVariable: String? {
            switch self {
            case .slurm: "SLURM_JOB_ID"
            case .kubernetes: "JOB_NAME"
            case .openMPI, .mpich, .torchrun: nil
            }
        }
    }
}
