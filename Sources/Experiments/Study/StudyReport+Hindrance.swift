import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// Whether units saturate, what the outputs' derivative lets through, and how both are where less
/// can saturate.
extension StudyReport {
    /// Runs of one network, all at the defaults of mse-tanh and over the same seeds.
    private struct Network {
        let label: String
        let outcomes: [RunOutcome]

        /// Of the runs that ended as they were meant to.
        func mean(_ value: (RunOutcome) -> Double?) -> Summary? {
            Summary(outcomes.filter(\.isResult).compactMap(value))
        }

        /// Of the layer that many from the last one, in the last epoch.
        func saturation(fromLast place: Int) -> Summary? {
            mean { run in
                let layers = run.saturation
                return place < layers.count ? layers[layers.count - 1 - place] : nil
            }
        }
    }

    private var networks: [Network] {
        let seeds = StudyPlan.seeds(study.plan.controls.seeds)
        let mse = results.presets.compactMap(\.outcome).filter {
            $0.run.configuration == RunConfiguration.Preset.mseTanh.rawValue
                && seeds.contains($0.run.seed)
        }
        return [Network(label: "mse-tanh", outcomes: mse)]
            + StudyPlan.controlNetworks.map { network in
                Network(
                    label: Self.controlLabel(network),
                    outcomes: results.controls.filter {
                        $0.run.configuration.architecture == network
                    }.compactMap(\.outcome))
            }
    }

    /// By what is not as in mse-tanh: “hidden ReLU” for instance.
    private static func controlLabel(_ network: NetworkArchitecture) -> String {
        switch (network.hidden, network.output) {
        case (.relu, _): "hidden ReLU"
        case (let hidden, .tanh): "hidden \(hidden.rawValue)"
        case (_, let output): "\(output.rawValue) output"
        }
    }

    /// “hidden ReLU 55.1 and 2.0 %”; empty where there is none.
    var controlsText: String {
        let parts = networks.dropFirst().compactMap { network -> String? in
            guard let hidden = network.saturation(fromLast: 1),
                let output = network.saturation(fromLast: 0)
            else { return nil }
            return "\(network.label) \(Figures.fixed(hidden.mean * 100, 1)) and "
                + "\(Figures.fixed(output.mean * 100, 1)) %"
        }
        return parts.isEmpty
            ? ""
            : " Controls, hidden layer and output, over "
                + "\(Figures.plural(study.plan.controls.seeds, "seed")): "
                + parts.joined(separator: "; ") + "."
    }

    /// What the derivative lets through in the last epoch of the runs that a claim is about.
    ///
    /// - Parameter runs: with a tanh output.
    func hindranceText(_ runs: [RunOutcome]) -> String {
        let last = runs.filter(\.isResult).compactMap(\.epochs.last)
        guard let factor = Summary(last.compactMap(\.testErrorPassed)),
            let passed = Summary(last.compactMap(\.testGradientPassed))
        else { return "" }
        let interval =
            Self.interval(passed).map {
                " [\(Figures.fixed($0.lowerBound * 100, 1)), \(Figures.fixed($0.upperBound * 100, 1))]"
            } ?? ""
        return
            " On the test digits after the last epoch the derivative of the tanh output, 1 − y², is "
            + "\(Figures.fixed(factor.mean, 3)) in the mean and leaves "
            + "\(Figures.fixed(passed.mean * 100, 1)) %\(interval) of the norm of the error's gradient; "
            + "that of the identity output leaves all of it."
    }

    static let saturationTitle = "Saturation and what it hinders"

    func hindranceSection() throws -> ReportPage.Section {
        let networks = networks
        let source = try ChartSource(networks.flatMap(\.outcomes))
        return ReportPage.Section(
            "saturation", title: Self.saturationTitle,
            blocks: [
                .paragraph(
                    "mse-tanh beside networks that differ from it in one part, at the same defaults and "
                        + "over the same \(Figures.plural(study.plan.controls.seeds, "seed")). The output's "
                        + "derivative ∂y/∂z, 1 − y² for tanh and 1 for the identity, multiplies the "
                        + "gradient of the loss on its way back to the weights; the plan defines both "
                        + "figures. With cross-entropy it cancels out, and nothing is lost."),
                .chart(
                    hindranceChart(
                        "gradient-passed",
                        "Fraction of the gradient's norm that the output's derivative leaves",
                        source,
                        \.testGradientPassed)),
                .chart(
                    hindranceChart(
                        "error-passed", "Mean derivative of the output", source, \.testErrorPassed)),
                .table(hindranceTable(networks, source)), .table(controlsTable(networks, source)),
            ])
    }

    private func hindranceChart(
        _ name: String, _ title: String, _ source: ChartSource,
        _ value: KeyPath<EpochRecord, Double?>
    ) -> Chart {
        let series = networks.enumerated().map { index, network in
            LineChart.Series(
                label: network.label,
                runs: network.outcomes.map { run in
                    LineChart.Run(
                        of: run,
                        points: run.epochs.compactMap { epoch in
                            epoch[keyPath: value].map {
                                LineChart.Point(
                                    x: [
                                        Double(epoch.step), Double(epoch.epoch),
                                        Double(epoch.examples),
                                    ], y: $0)
                            }
                        })
                }, colour: index, isTraining: true)
        }
        return Chart(
            name: name, title: title,
            summary: "On the test digits after each epoch; medians and quartiles over the seeds.",
            source: source,
            kind: .lines(
                LineChart(
                    xAxes: [.steps, .epochs, .examples],
                    yAxis: ChartAxis(label: "passed", unit: .percent), series: series)))
    }

    private struct HindranceRow {
        let label: String
        let epoch: Int
        let count: Int
        let error: Summary?
        let gradient: Summary?
        let accuracy: Summary?
    }

    private func hindranceTable(_ networks: [Network], _ source: ChartSource) -> ReportTable {
        let last = study.plan.controls.epochs
        let epochs = Set([1, (last + 1) / 2, last]).sorted()
        let rows = networks.flatMap { network in
            epochs.map { epoch in
                func figure(_ value: (EpochRecord) -> Double?) -> Summary? {
                    network.mean { run in run.epochs.first { $0.epoch == epoch }.flatMap(value) }
                }
                let accuracy = figure(\.testAccuracy)
                return HindranceRow(
                    label: network.label, epoch: epoch, count: accuracy?.count ?? 0,
                    error: figure(\.testErrorPassed), gradient: figure(\.testGradientPassed),
                    accuracy: accuracy)
            }
        }
        return ReportTable(
            name: "hindrance", title: "What the output's derivative lets through", source: source,
            of: rows,
            columns: [
                .text("network") { $0.label }, .count("epoch") { $0.epoch },
                .count("n", "runs") { $0.count },
                .fixed("error_passed", "mean derivative", digits: 3) { $0.error?.mean },
                .fixed("error_low", "from", digits: 3) { Self.interval($0.error)?.lowerBound },
                .fixed("error_high", "to", digits: 3) { Self.interval($0.error)?.upperBound },
                .percent("gradient_passed", "gradient's norm left") { $0.gradient?.mean },
                .percent("gradient_low", "from") { Self.interval($0.gradient)?.lowerBound },
                .percent("gradient_high", "to") { Self.interval($0.gradient)?.upperBound },
                .percent("test_accuracy", "test accuracy") { $0.accuracy?.mean },
            ], note: "Means over seeds with Student's 95 % intervals; none around a constant.")
    }

    private func controlsTable(_ networks: [Network], _ source: ChartSource) -> ReportTable {
        let rows = networks.map { network in
            (
                network: network, hidden: network.saturation(fromLast: 1),
                output: network.saturation(fromLast: 0),
                accuracy: network.mean { $0.end?.testAccuracy }
            )
        }
        return ReportTable(
            name: "controls", title: "Saturated units in the last epoch", source: source, of: rows,
            columns: [
                .text("network") { $0.network.label },
                .count("n", "runs") { $0.network.outcomes.count },
                .percent("hidden_saturation", "hidden layer") { $0.hidden?.mean },
                .percent("hidden_low", "from") { Self.interval($0.hidden)?.lowerBound },
                .percent("hidden_high", "to") { Self.interval($0.hidden)?.upperBound },
                .percent("output_saturation", "output") { $0.output?.mean },
                .percent("output_low", "from") { Self.interval($0.output)?.lowerBound },
                .percent("output_high", "to") { Self.interval($0.output)?.upperBound },
                .percent("test_accuracy", "test accuracy") { $0.accuracy?.mean },
                .percent("low", "from") { Self.interval($0.accuracy)?.lowerBound },
                .percent("high", "to") { Self.interval($0.accuracy)?.upperBound },
            ],
            note:
                "A tanh is saturated beyond ±0.97, a sigmoid below 0.01 or above 0.99, a ReLU at zero; the "
                + "identity never is.")
    }
}
