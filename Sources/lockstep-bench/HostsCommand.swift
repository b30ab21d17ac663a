import ArgumentParser
import LockstepProtocol

/// `lockstep-bench hosts`
struct HostsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hosts", abstract: "Several hosts on links of a rate, beside PyTorch DDP.",
        discussion: """
            Makes hosts of network namespaces on this machine, joined by links of the rate, and \
            takes them away again. Trains on them with Lockstep as it places itself, the \
            coordinator on the first host and a worker on each, with a key and in the clear, and \
            with torch_ddp.py of the peers on gloo. Needs root and iproute2 (69 where one is \
            missing).

            Examples:
              sudo lockstep-bench hosts --peers DIR
              sudo lockstep-bench hosts --hosts 2,4 --rate 100mbit --rounds 5
              sudo lockstep-bench hosts --hosts 8 --examples 512
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    @Option(help: ArgumentHelp("How many hosts, 2 to 8; default 4,8.", valueName: "list"))
    var hosts: NumberList?

    @Option(
        help: ArgumentHelp("Of every link, each way: 1gbit, 100mbit.", valueName: "rate"))
    var rate = LinkRate.oneGigabit

    @Option(help: ArgumentHelp("Examples of a host in a step.", valueName: "n"))
    var examples = 128

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 3.", valueName: "n"))
    var rounds: Int?

    func validate() throws {
        for count in hosts?.values ?? [] where !(2...8).contains(count) {
            throw ValidationError("--hosts: \(count) is not between 2 and 8.")
        }
        if let rounds, rounds < 1 {
            throw ValidationError("--rounds is \(rounds); give 1 or more.")
        }
        guard 1...4096 ~= examples else {
            throw ValidationError("--examples is \(examples); give 1 to 4096.")
        }
    }

    func run() throws {
        // Before the data is read: this is what most often is in the way.
        if let obstacle = NetworkHosts.obstacle() { throw BenchError(.unavailable, obstacle) }
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let peers = try Peers(peers)
        let reporter = try Reporter(options, data: data.description)
        var measurement = HostsMeasurement.standard(options.quick)
        if let hosts { measurement.hostCounts = hosts.values }
        if let rounds { measurement.rounds = rounds }
        measurement.rate = rate
        measurement.examplesPerHost = examples
        try reporter.show(
            try measurement.sections(
                data, peers, BareExchange(peers, folder), folder))
    }
}
