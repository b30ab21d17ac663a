import RunRecords

/// What happened inside the networks.
extension RunsReport {
    var layerSections: [ReportPage.Section] {
        let depth = drawn.flatMap(\.runs).flatMap(\.layers).map(\.gradientNorms.count).max() ?? 0
        guard depth > 0 else { return [] }
        // Of a deep network, those at its ends: each is two drawings.
        let half = Self.shownLayerCount / 2
        let shown = (0..<depth).filter { $0 < half || $0 >= depth - half }
        let blocks = shown.map { layer in
            let name = layer == depth - 1 ? "output layer" : "hidden layer \(layer + 1)"
            return [
                layerChart(
                    "gradient-norm-\(layer + 1)", "Gradient norm, \(name)",
                    ChartAxis(label: "Euclidean norm, logarithmic", scale: .logarithmic), layer,
                    depth, \.gradientNorms),
                layerChart(
                    "saturation-\(layer + 1)", "Saturated units, \(name)",
                    ChartAxis(label: "fraction of units", unit: .percent, range: 0...0.01), layer,
                    depth, \.saturation),
            ]
        }
        return [
            ReportPage.Section(
                "layers", title: "Inside the network",
                blocks: [
                    .paragraph(
                        "Means over parts of an epoch, of the norm of a micro-batch's mean gradient (the "
                            + "root mean square over those of a step) and of the fraction of saturated "
                            + "units in its forward pass. A unit is saturated where "
                            + "its output hardly answers to its input any more: a tanh beyond ±0.97, a "
                            + "sigmoid or softmax below 0.01 or above 0.99, a ReLU at zero. A sure and "
                            + "right softmax is saturated, too, and its loss has a gradient there."
                            + (shown.count < depth
                                ? " Shown are the first \(half) and the last \(half) of \(depth) layers."
                                : ""))
                ] + (blocks.map { $0[0] } + blocks.map { $0[1] }).map(ReportPage.Block.chart))
        ]
    }

    private static let shownLayerCount = 8

    /// Layers are counted from the output where networks differ in depth.
    private func layerChart(
        _ name: String, _ title: String, _ yAxis: ChartAxis, _ layer: Int, _ depth: Int,
        _ values: (LayerPoint) -> [Double]
    ) -> Chart {
        let series = drawn.map { group in
            LineChart.Series(
                label: group.label,
                runs: group.runs.map { run in
                    LineChart.Run(
                        of: run.outcome,
                        points: run.layers.compactMap { point in
                            let index = layer - depth + values(point).count
                            guard index >= 0 else { return nil }
                            return LineChart.Point(
                                x: [
                                    Double(point.step), point.epoch,
                                    Double(run.outcome.examples(atStep: point.step)),
                                ], y: values(point)[index])
                        })
                }, colour: group.colour, isTraining: true)
        }
        return Chart(
            name: name, title: title, summary: chartSummary(), source: drawnSource,
            kind: .lines(
                LineChart(xAxes: [.steps, .epochs, .examples], yAxis: yAxis, series: series)))
    }
}
