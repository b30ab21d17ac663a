"""Computes the figures of a report's tables again, from metrics.jsonl alone, and compares them with the data in the
page; then the rows of runs.csv.

Usage: report_figures.py REPORT RUN...    (the report's folder, and the folders of its runs)
"""

import pathlib
import sys

from report_csv import check_csv
from report_logs import (
    alone, check_curves, check_groups, close, configuration, page_data, read, table, targets_within_reach, test_curve,
)


def check_runs(data, runs):
    rows, source = table(data, "runs")
    assert len(rows) == len(runs) == source["n"]
    assert source["diverged"] == sum(r["end"]["status"] == "diverged" for r in runs)
    assert source["censored"] == sum(r["end"]["status"] in ("interrupted", "lost") for r in runs)
    by_folder = {row["folder"]: row for row in rows}
    for run in runs:
        end, row = run["end"], by_folder[run["folder"]]
        for key in ("seed", "epochs", "steps", "test_accuracy", "test_loss", "seconds", "examples_per_second"):
            is_told = alone(run) or key not in ("seconds", "examples_per_second")
            close(end[key] if is_told else None, row[key], f"{run['folder']}, {key}")
        assert row["status"] == end["status"]
        for key in ("configuration_sha256", "weights_sha256"):
            assert end[key].startswith(row[key]) and len(row[key]) >= 8


def main(report, folders):
    data = page_data(report)
    runs = [read(folder) for folder in folders]
    listed, _ = table(data, "runs")
    label = {row["folder"]: row["configuration"] for row in listed}
    groups = {}
    for run in runs:
        groups.setdefault(configuration(run), []).append(run)
    named = {}
    for group in groups.values():
        name = label[group[0]["folder"]]
        assert all(label[run["folder"]] == name for run in group) and name not in named
        named[name] = group
    check_groups(data, named, targets_within_reach(runs))
    check_curves(data, "test-accuracy", named, lambda run: [point[:2] for point in test_curve(run)], True)
    check_runs(data, runs)
    check_csv(data, runs, report)


main(pathlib.Path(sys.argv[1]), sys.argv[2:])
