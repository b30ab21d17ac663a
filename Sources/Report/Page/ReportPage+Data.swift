extension ReportPage {
    /// All figures behind the page: `runs` as columns and rows (those of the CSV), `tables` with
    /// unrounded figures, `charts` with the medians and quartiles that are drawn.
    var data: JSONValue {
        let table = RunsTable(runs)
        return .object([
            "title": .text(title),
            "runs": .object([
                "columns": .array(RunsTable.columns.map(JSONValue.text)),
                "rows": .array(table.rows.map(JSONValue.array)),
            ]),
            "tables": .array(tables.map(\.data)),
            "charts": .array(charts.map(\.data)),
        ])
    }
}

extension ChartSource {
    fileprivate var data: JSONValue {
        .object([
            "dataset": .text(dataset), "dataset_sha256": .text(datasetSHA256),
            "configuration_sha256": .array(configurationSHA256s.map(JSONValue.text)),
            "n": .integer(runCount), "censored": .integer(censoredCount),
            "diverged": .integer(divergedCount),
        ])
    }
}

extension ReportTable {
    fileprivate var data: JSONValue {
        let rows = rows.map { row in
            JSONValue.array(
                row.map { cell in
                    switch cell {
                    case .text(let text): .text(text)
                    case .number(let value, _): .number(value)
                    }
                })
        }
        return .object([
            "name": .text(name), "title": .text(title), "source": source.data,
            "columns": .array(headings.map { .text($0.key) }), "rows": .array(rows),
        ])
    }
}

extension Chart {
    fileprivate var data: JSONValue {
        .object([
            "name": .text(name), "title": .text(title), "source": source.data,
            "figures": figures,
        ])
    }

    private var figures: JSONValue {
        switch kind {
        case .lines(let chart): chart.data
        case .bars(let chart):
            .array(
                chart.bars.map { bar in
                    .object([
                        "label": .text(bar.label), "value": .number(bar.value),
                        "low": .number(bar.interval?.lowerBound ?? .nan),
                        "high": .number(bar.interval?.upperBound ?? .nan),
                        "runs": .array(bar.runs.map(JSONValue.number)),
                    ])
                })
        case .heat(let table):
            .object([
                "rows": .array(table.rows.map(JSONValue.text)),
                "columns": .array(table.columns.map(JSONValue.text)),
                "values": .array(table.values.map(JSONValue.number)),
            ])
        case .reliability(let diagram): .array(diagram.series.map(\.data))
        case .digits(let gallery): .array(gallery.digits.map { .text($0.caption) })
        }
    }
}

extension LineChart {
    fileprivate var data: JSONValue {
        let series = zip(series, series.map(\.band)).map { series, band in
            JSONValue.object([
                "label": .text(series.label), "runs": .integer(series.runs.count),
                "x": .array(
                    xAxes.indices.map { axis in .array(band.map { .number($0.x[axis]) }) }),
                "lower_quartile": .array(band.map { .number($0.lowerQuartile) }),
                "median": .array(band.map { .number($0.median) }),
                "upper_quartile": .array(band.map { .number($0.upperQuartile) }),
                "n": .array(band.map { .integer($0.runCount) }),
                "censored": .array(
                    band.indices.filter { band[$0].isCensored }.map(JSONValue.integer)),
            ])
        }
        return .object([
            "axes": .array(xAxes.map { .text($0.label) }), "series": .array(series),
            "thresholds": .array(thresholds.map { .number($0.value) }),
        ])
    }
}

extension ReliabilityDiagram.Series {
    fileprivate var data: JSONValue {
        .object([
            "label": .text(label),
            "count": .array(bins.map { .integer($0.count) }),
            "confidence": .array(bins.map { .number($0.meanConfidence) }),
            "accuracy": .array(bins.map { .number($0.accuracy) }),
        ])
    }
}
