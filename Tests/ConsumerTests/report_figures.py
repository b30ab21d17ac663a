"""Computes the figures of a report's tables again, from metrics.jsonl alone, and compares them with the data in the
page; then the rows of runs.csv.

Usage: report_figures.py REPORT RUN...    (the report's folder, and the folders of its runs)
"""

import csv
import json
import math
import pathlib
import re
import statistics
import sys

THRESHOLDS = [0.95, 0.96, 0.97]


def read(folder):
    lines = (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    run = {"folder": folder, "start": records[0], "end": records[-1]}
    assert run["start"]["event"] == "run" and run["end"]["event"] == "end", folder
    run["epochs"] = [r for r in records if r["event"] == "epoch"]
    run["tests"] = [r for r in records if r["event"] == "evaluation" and r["split"] == "test"]
    return run


def configuration(run):
    settings = {k: v for k, v in run["start"]["settings"].items() if k != "seed"}
    return json.dumps([run["start"]["configuration"], settings], sort_keys=True)


def close(ours, theirs, what):
    if ours is None or theirs is None:
        assert ours is None and theirs is None, f"{what}: {theirs} in the page, {ours} from the logs"
        return
    assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12), (
        f"{what}: {theirs} in the page, {ours} from the logs"
    )


def student(degrees):
    """The two-sided 95 % quantile, by bisection on Simpson's integral of the density."""
    factor = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)

    def within(t):
        # Over the angle with t = sqrt(degrees) * tan(angle) the density has no tail.
        end, count = math.atan(t / math.sqrt(degrees)), 4000
        width = end / count
        total = 0.0
        for i in range(count + 1):
            weight = 1 if i in (0, count) else 4 if i % 2 else 2
            total += weight * math.cos(i * width) ** (degrees - 1)
        return 2 * factor * math.sqrt(degrees) * total * width / 3

    low, high = 0.0, 1.0
    while within(high) < 0.95:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 0.95 else (low, middle)
    return high


def examples(run, step):
    """What the first `step` updates trained on."""
    batch, first = run["end"]["batch_size"], run["epochs"][0] if run["epochs"] else None
    if first is None:
        return step * batch
    whole, rest = divmod(step, first["step"])
    return whole * first["examples"] + min(rest * batch, first["examples"])


def crossing(run, threshold):
    ends = {e["step"] for e in run["epochs"]}
    points = [(e["step"], e["test_accuracy"], e["seconds"]) for e in run["epochs"]]
    points += [(e["step"], e["accuracy"], e["seconds"]) for e in run["tests"] if e["step"] not in ends]
    for step, accuracy, seconds in sorted(points):
        if accuracy is not None and accuracy >= threshold:
            return step, seconds
    return None


def median(known, count):
    """Of `count` values, those that are not known lying above all others."""
    ranked = sorted(known) + [math.inf] * (count - len(known))
    value = statistics.median(ranked)
    return value if math.isfinite(value) else None


def final_row(runs):
    done = [r["end"] for r in runs if r["end"]["status"] in ("completed", "target")]
    values = [e["test_accuracy"] for e in done]
    deviation = statistics.stdev(values) if len(values) > 1 else None
    mean = statistics.fmean(values) if values else None
    half = student(len(values) - 1) * deviation / math.sqrt(len(values)) if deviation is not None else None
    return {
        "n": len(runs),
        "completed": len(done),
        "mean_test_accuracy": mean,
        "standard_deviation": deviation,
        "low": None if half is None else mean - half,
        "high": None if half is None else mean + half,
        "minimum": min(values, default=None),
        "maximum": max(values, default=None),
        "mean_test_loss": statistics.fmean(e["test_loss"] for e in done) if done else None,
    }


def threshold_row(runs, threshold):
    crossings = [(r, crossing(r, threshold)) for r in runs]
    reached = [(r, c) for r, c in crossings if c]
    return {
        "threshold": threshold,
        "n": len(runs),
        "reached": len(reached),
        "median_steps": median([c[0] for _, c in reached], len(runs)),
        "median_examples": median([examples(r, c[0]) for r, c in reached], len(runs)),
        "median_seconds": median([c[1] for _, c in reached], len(runs)),
    }


def table(data, name):
    found = [t for t in data["tables"] if t["name"] == name]
    assert len(found) == 1, f"table {name}: {len(found)} of it"
    return [dict(zip(found[0]["columns"], row)) for row in found[0]["rows"]], found[0]["source"]


def check_row(row, expected, what):
    for key, value in expected.items():
        close(value, row[key], f"{what}, {key}")


def check_medians(data, groups):
    """The medians and quartiles of the accuracy curve at the ends of epochs."""
    chart = next(c for c in data["charts"] if c["name"] == "test-accuracy")
    series = chart["figures"]["series"]
    assert sorted(s["runs"] for s in series) == sorted(len(g) for g in groups)
    matched = 0
    for group in groups:
        values = {}
        for run in group:
            ends = {e["step"] for e in run["epochs"]}
            for e in run["epochs"]:
                values.setdefault(e["step"], []).append(e["test_accuracy"])
            for e in run["tests"]:
                if e["step"] not in ends:
                    values.setdefault(e["step"], []).append(e["accuracy"])
        steps = sorted(values)
        medians = [statistics.median(values[s]) for s in steps]
        for s in series:
            if s["x"][0] == steps and all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(s["median"], medians)):
                matched += 1
                for i, step in enumerate(steps):
                    if len(values[step]) > 1:
                        low, _, high = statistics.quantiles(values[step], n=4, method="inclusive")
                        close(low, s["lower_quartile"][i], f"lower quartile at {step}")
                        close(high, s["upper_quartile"][i], f"upper quartile at {step}")
                    assert s["n"][i] == len(values[step])
                break
    assert matched == len(groups), f"{matched} of {len(groups)} curves are those of the logs"


def check_runs(data, runs, report):
    rows, source = table(data, "runs")
    assert len(rows) == len(runs) == source["n"]
    assert source["diverged"] == sum(r["end"]["status"] == "diverged" for r in runs)
    assert source["censored"] == sum(r["end"]["status"] in ("interrupted", "lost") for r in runs)
    by_folder = {row["folder"]: row for row in rows}
    for run in runs:
        end, row = run["end"], by_folder[run["folder"]]
        for key in ("seed", "epochs", "steps", "test_accuracy", "test_loss", "seconds", "examples_per_second"):
            close(end[key], row[key], f"{run['folder']}, {key}")
        assert row["status"] == end["status"]
        for key in ("configuration_sha256", "weights_sha256"):
            assert end[key].startswith(row[key]) and len(row[key]) >= 8

    written = list(csv.DictReader((report / "runs.csv").open()))
    columns = data["runs"]["columns"]
    assert len(written) == len(data["runs"]["rows"])
    expected = {}
    for run in runs:
        total = 0
        for epoch in run["epochs"]:
            total += epoch["examples"]
            expected[(run["end"]["configuration_sha256"], epoch["epoch"])] = (run["end"], epoch, total)
    for line, row in zip(written, data["runs"]["rows"]):
        assert list(line) == columns
        if line["epoch"] == "0":
            continue
        end, epoch, total = expected.pop((line["configuration_sha256"], int(line["epoch"])))
        for values in (line, dict(zip(columns, row))):
            for key in ("step", "examples", "seconds", "train_loss", "train_accuracy", "test_loss", "test_accuracy"):
                close(epoch[key], float(values[key]), key)
            assert float(values["examples_so_far"]) == total
            assert float(values["batch_size"]) == end["batch_size"] and float(values["seed"]) == end["seed"]
            for key in ("dataset", "dataset_sha256", "status"):
                assert values[key] == end[key]
            assert values["weights_sha256"] == epoch["weights_sha256"]
    assert not expected, f"not in runs.csv: {list(expected)}"


def main(report, folders):
    page = (report / "report.html").read_text()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))
    runs = [read(folder) for folder in folders]
    groups = {}
    for run in runs:
        groups.setdefault(configuration(run), []).append(run)

    finals, _ = table(data, "final")
    thresholds, _ = table(data, "thresholds")
    assert len(finals) == len(groups) and len(thresholds) == len(groups) * len(THRESHOLDS)
    listed, _ = table(data, "runs")
    label = {row["folder"]: row["configuration"] for row in listed}
    for group in groups.values():
        name = label[group[0]["folder"]]
        assert all(label[run["folder"]] == name for run in group)
        check_row(next(r for r in finals if r["configuration"] == name), final_row(group), name)
        for threshold in THRESHOLDS:
            row = next(r for r in thresholds if r["configuration"] == name and r["threshold"] == threshold)
            check_row(row, threshold_row(group, threshold), f"{name} to {threshold}")
    check_medians(data, list(groups.values()))
    check_runs(data, runs, report)


main(pathlib.Path(sys.argv[1]), sys.argv[2:])
