import Foundation

extension ReportPage {
    /// All figures behind the page as JSON: `runs` as columns and rows (those of the CSV), `tables`
    /// with unrounded figures, `charts` with the medians and quartiles that are drawn.
    ///
    /// Signs with a meaning in HTML are escaped, so that no text can end the script that holds it.
    var json: String {
        let data: [String: Any] = [
            "title": title,
            "runs": [
                "columns": RunsTable.columns, "rows": RunsTable(runs).rows.map { $0.map(\.json) },
            ],
            "tables": tables.map(\.data),
            "charts": charts.map(\.data),
        ]
        guard
            let bytes = try? JSONSerialization.data(
                withJSONObject: data, options: [.sortedKeys, .withoutEscapingSlashes])
        else { preconditionFailure("a page holds texts and figures only") }
        // Outside of texts, JSON has none of these.
        return ["<", ">", "&", "\u{2028}", "\u{2029}"].reduce(
            String(decoding: bytes, as: UTF8.self)
        ) { text, sign in
            text.replacing(
                sign, with: sign.unicodeScalars.map { String(format: "\\u%04x", $0.value) }.joined()
            )
        }
    }

    /// What is not finite becomes null, as in the log.
    static func json(_ figure: Double) -> Any { figure.isFinite ? figure : NSNull() }
}

extension ChartSource {
    fileprivate var data: [String: Any] {
        [
            "dataset": dataset, "dataset_sha256": datasetSHA256,
            "configuration_sha256": configurationSHA256s, "n": runCount,
            "censored": censoredCount, "diverged": divergedCount,
        ]
    }
}

extension ReportTable {
    fileprivate var data: [String: Any] {
        let rows = rows.map { row in
            row.map { cell -> Any in
                switch cell {
                case .text(let text): text
                case .number(let value, _): ReportPage.json(value)
                }
            }
        }
        return [
            "name": name, "title": title, "source": source.data, "columns": headings.map(\.key),
            "rows": rows,
        ]
    }
}

extension Chart {
    fileprivate var data: [String: Any] {
        ["name": name, "title": title, "source": source.data, "figures": figures]
    }

    private var figures: Any {
        switch kind {
        case .lines(let chart): chart.data
        case .bars(let chart):
            chart.bars.map { bar -> [String: Any] in
                [
                    "label": bar.label, "value": ReportPage.json(bar.value),
                    "low": ReportPage.json(bar.interval?.lowerBound ?? .nan),
                    "high": ReportPage.json(bar.interval?.upperBound ?? .nan),
                    "runs": bar.runs.map(ReportPage.json),
                ]
            }
        case .heat(let table):
            [
                "rows": table.rows, "columns": table.columns,
                "values": table.values.map(ReportPage.json),
            ] as [String: Any]
        case .reliability(let diagram): diagram.series.map(\.data)
        case .digits(let gallery): gallery.digits.map(\.caption)
        }
    }
}

extension LineChart {
    fileprivate var data: [String: Any] {
        let series = zip(series, series.map(\.band)).map { series, band -> [String: Any] in
            let isEstimate = series.estimate != nil
            return [
                "label": series.label,
                "runs": isEstimate ? band.first?.runCount ?? 0 : series.runs.count,
                "x": xAxes.indices.map { axis in band.map { ReportPage.json($0.x[axis]) } },
                isEstimate ? "lower" : "lower_quartile": band.map { ReportPage.json($0.lower) },
                isEstimate ? "estimate" : "median": band.map { ReportPage.json($0.middle) },
                isEstimate ? "upper" : "upper_quartile": band.map { ReportPage.json($0.upper) },
                "n": band.map(\.runCount),
                "censored": band.indices.filter { band[$0].isCensored },
            ]
        }
        return [
            "axes": xAxes.map(\.label), "series": series,
            "thresholds": thresholds.map { ReportPage.json($0.value) },
        ]
    }
}

extension ReliabilityDiagram.Series {
    fileprivate var data: [String: Any] {
        [
            "label": label, "count": bins.map(\.count),
            "confidence": bins.map { ReportPage.json($0.meanConfidence) },
            "accuracy": bins.map { ReportPage.json($0.accuracy) },
        ]
    }
}
