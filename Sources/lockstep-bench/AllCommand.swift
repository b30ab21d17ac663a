import ArgumentParser

/// `lockstep-bench all`
struct AllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every measurement, one after the other.",
        discussion: """
            Examples:
              lockstep-bench all --peers DIR
              lockstep-bench all --quick
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var peers: PeerOptions
    @OptionGroup var data: DataOptions

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let peers = try Peers(peers)
        let reporter = try Reporter(options, data: data.description)
        let isQuick = options.quick
        let kernels = KernelMeasurement(data: data, isQuick: isQuick)
        try reporter.show([kernels.kernels()])
        try reporter.show(try kernels.products(folder))
        try reporter.show([try kernels.tree()])
        let codec = CodecMeasurement(floats: BareExchange.modelFloats, isQuick: isQuick)
        try reporter.show(try codec.sections())
        let transport = TransportMeasurement.standard(isQuick)
        try reporter.show([try transport.section(peers, folder)])
        let step = StepMeasurement.standard(isQuick)
        try reporter.show(try step.sections(data, peers, folder))
        let keras = KerasMeasurement(epochs: isQuick ? 1 : 10, rounds: 1)
        try reporter.show([try keras.section(data, peers, folder)])
    }
}
