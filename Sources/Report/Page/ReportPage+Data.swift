import Foundation

extension ReportPage {
    /// The figures behind the page as JSON: `runs` as columns and rows (those of the CSV), `tables`
    /// with unrounded figures, `charts` with the medians and quartiles that are drawn. Of long
    /// lists it has the first rows, how many there are, and the file beside the page that has all.
    ///
    /// Signs with a meaning in HTML are escaped, so that no text can end the script that holds it.
    var json: String {
        let data: [String: Any] = [
            "title": title,
            "runs": RunsTable(runs).data,
            "tables": tables.map(\.data),
            "charts": charts.map(\.data),
        ]
        guard
            let bytes = try? JSONSerialization.data(
                withJSONObject: data, options: [.sortedKeys, .withoutEscapingSlashes])
        else { preconditionFailure("a page holds texts and figures only") }
        return Self.escaped(bytes)
    }

    /// Outside of texts, JSON has none of the signs that are escaped.
    private static func escaped(_ json: Data) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(json.count)
        for byte in json {
            switch byte {
            case UInt8(ascii: "<"): bytes += Array("\\u003c".utf8)
            case UInt8(ascii: ">"): bytes += Array("\\u003e".utf8)
            case UInt8(ascii: "&"): bytes += Array("\\u0026".utf8)
            // U+2028 and U+2029, which end a line in a script.
            case 0xA8, 0xA9:
                guard bytes.suffix(2) == [0xE2, 0x80] else { fallthrough }
                bytes.removeLast(2)
                bytes += Array((byte == 0xA8 ? "\\u2028" : "\\u2029").utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What is not finite becomes null, as in the log.
    static func json(_ figure: Double) -> Any { figure.isFinite ? figure : NSNull() }

    /// A script's numbers are exact up to 2⁵³; a larger seed is a text, so that it stays itself.
    static func json(_ seed: UInt64) -> Any {
        isExact(seed) ? seed as Any : String(seed)
    }

    static func isExact(_ seed: UInt64) -> Bool { seed <= 1 << 53 }
}

extension ChartSource {
    private static let dataHashCount = 100

    fileprivate var data: [String: Any] {
        [
            "dataset": dataset, "dataset_sha256": datasetSHA256,
            "configuration_sha256": Array(configurationSHA256s.prefix(Self.dataHashCount)),
            "configurations": configurationSHA256s.count, "n": runCount,
            "censored": censoredCount, "diverged": divergedCount,
        ]
    }
}

extension RunsTable {
    private static let dataRowCount = 1_000

    fileprivate var data: [String: Any] {
        [
            "columns": Self.columns, "row_count": rows.count, "file": ReportPage.runsFile,
            "rows": rows.prefix(Self.dataRowCount).map { $0.map(\.json) },
        ]
    }
}

extension ReportTable {
    fileprivate var data: [String: Any] {
        let rows = shownRows.map { row in
            row.map { cell -> Any in
                switch cell {
                case .text(let text): text
                case .number(let value, _): ReportPage.json(value)
                }
            }
        }
        return [
            "name": name, "title": title, "source": source.data, "columns": headings.map(\.key),
            "rows": rows, "row_count": self.rows.count, "file": isCut ? file : NSNull(),
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
        let series = zip(series, bands(pointCount: 1_200)).map { series, band -> [String: Any] in
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
