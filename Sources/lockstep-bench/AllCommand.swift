import ArgumentParser
import LockstepProtocol

/// `lockstep-bench all`
struct AllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every goal, measured in one run, with a summary.",
        discussion: """
            Runs kernels, codec, transport, step, keras and hosts one after the other, and ends \
            with a table of all goals: the ratio, its lowest and highest round, and whether the \
            goal is reached. One that lies beyond the measured floor of this machine is called \
            that, with the floor. Takes some 15 minutes on two cores with all peers; --quick two \
            minutes, with one place of each row of the goals and one round.

            Examples:
              lockstep-bench all --peers DIR
              lockstep-bench all --quick
              lockstep-bench all --peers DIR --json > bench.jsonl
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let peers = try Peers(peers)
        let reporter = try Reporter(options, data: data.description)
        let plan = AllPlan(isQuick: options.quick)
        let kernels = KernelMeasurement(data: data, isQuick: options.quick)
        try reporter.show([kernels.kernels()])
        try reporter.show(try ProductMeasurement(isQuick: options.quick).sections(folder))
        try reporter.show([try kernels.tree()])
        let codec = CodecMeasurement(floats: BareExchange.modelFloats, isQuick: options.quick)
        try reporter.show(try codec.sections())
        let bare = BareExchange(peers, folder)
        try reporter.show(try plan.transport.sections(bare, folder))
        try reporter.show(try plan.step.sections(data, peers, bare, folder))
        try reporter.show([try plan.keras.section(data, peers, folder)])
        let failure = try hosts(plan, data, peers, bare, folder, reporter)
        let promised = Set(plan.entries.map(\.entry))
        try reporter.showSummary(of: Goals.table.filter(promised.contains))
        if let failure { throw failure }
    }

    /// Hosts come last, and what goes wrong there takes no other figure away.
    ///
    /// - Returns: what went wrong, but for a machine that has no namespaces for us.
    private func hosts(
        _ plan: AllPlan, _ data: BenchData, _ peers: Peers, _ bare: BareExchange,
        _ folder: TemporaryFolder, _ reporter: Reporter
    ) throws -> BenchError? {
        do {
            try reporter.show(try plan.hosts.sections(data, peers, bare, folder))
            return nil
        } catch let error as BenchError {
            Notes.endProgress()
            Notes.say("hosts is left out: \(error).")
            return error.exitCode == .unavailable ? nil : error
        }
    }
}

/// What `all` measures.
struct AllPlan {
    let transport: TransportMeasurement
    let step: StepMeasurement
    let keras: KerasMeasurement
    let hosts: HostsMeasurement

    init(isQuick: Bool) {
        transport = .standard(isQuick)
        step = .standard(isQuick)
        keras = .standard(isQuick)
        hosts = .standard(isQuick)
    }

    /// The goals that it has figures for, each with the subcommand that measures it.
    var entries: [(entry: GoalEntry, command: String)] {
        [
            (ProductMeasurement.entries + KernelMeasurement.entries, "kernels"),
            (transport.entries, "transport"), (step.entries, "step"), (keras.entries, "keras"),
            (hosts.entries, "hosts"),
        ].flatMap { entries, command in entries.map { ($0, command) } }
    }
}
