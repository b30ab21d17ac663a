"""What the scripts that check reports share: logs, statistics of their own, and the data in a page."""

import json
import math
import pathlib
import re
import statistics
import struct

THRESHOLDS = [0.95, 0.96, 0.97]


# Logs


def read(folder):
    lines = (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    run = {"folder": str(folder), "start": records[0], "end": records[-1]}
    assert run["start"]["event"] == "run" and run["end"]["event"] == "end", folder
    run["seed"] = run["end"]["seed"]
    run["settings"] = run["start"]["settings"]
    run["steps"] = [r for r in records if r["event"] == "step"]
    run["epochs"] = [r for r in records if r["event"] == "epoch"]
    evaluations = [r for r in records if r["event"] == "evaluation"]
    run["tests"] = [r for r in evaluations if r["split"] == "test"]
    run["validations"] = [r for r in evaluations if r["split"] == "validation"]
    return run


def configuration(run):
    settings = {k: v for k, v in run["settings"].items() if k != "seed"}
    return json.dumps([run["start"]["configuration"], settings], sort_keys=True)


def done(runs):
    return [r for r in runs if r["end"]["status"] in ("completed", "target")]


def alone(run):
    """Whether nothing else was trained at the time, so that its seconds are its own."""
    return run["end"].get("parallelism", 1) == 1


def examples(run, step):
    """What the first `step` updates trained on."""
    batch, first = run["end"]["batch_size"], run["epochs"][0] if run["epochs"] else None
    if first is None:
        return step * batch
    whole, rest = divmod(step, first["step"])
    return whole * first["examples"] + min(rest * batch, first["examples"])


def test_curve(run):
    ends = {e["step"] for e in run["epochs"]}
    points = [(e["step"], e["test_accuracy"], e["seconds"]) for e in run["epochs"]]
    points += [(e["step"], e["accuracy"], e["seconds"]) for e in run["tests"] if e["step"] not in ends]
    return sorted(points)


def crossing(run, threshold):
    """The first (step, seconds) at the threshold; None where there is none, and for a run that diverged."""
    if run["end"]["status"] == "diverged":
        return None
    for step, accuracy, seconds in test_curve(run):
        if accuracy is not None and accuracy >= threshold:
            return step, seconds
    return None


def single(value):
    """The figure that was measured in single precision and written with as many digits as it needs."""
    return struct.unpack("f", struct.pack("f", value))[0]


# Statistics


def within(t, degrees):
    """The probability of |T| <= t, by Simpson's integral of Student's density."""
    factor = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    # Over the angle with t = sqrt(degrees) * tan(angle) the density has no tail.
    end, count = math.atan(t / math.sqrt(degrees)), 1000
    width = end / count
    total = 0.0
    for i in range(count + 1):
        weight = 1 if i in (0, count) else 4 if i % 2 else 2
        total += weight * math.cos(i * width) ** (degrees - 1)
    return 2 * factor * math.sqrt(degrees) * total * width / 3


def student(degrees, known={}):
    """The two-sided 95 % quantile, by bisection."""
    if degrees not in known:
        low, high = 0.0, 1.0
        while within(high, degrees) < 0.95:
            high *= 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if within(middle, degrees) < 0.95 else (low, middle)
        known[degrees] = high
    return known[degrees]


def mean(values):
    values = list(values)
    return statistics.fmean(values) if values else None


def interval(values):
    """Student's 95 % interval of the mean; None for a single value."""
    if len(values) < 2:
        return None
    half = student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half


def fraction_interval(values):
    """The part of it that is possible for fractions."""
    found = interval(values)
    return found and tuple(min(max(bound, 0.0), 1.0) for bound in found)


def median(known, count):
    """Of `count` values, those that are not known lying above all others."""
    ranked = sorted(known) + [math.inf] * (count - len(known))
    value = statistics.median(ranked)
    return value if math.isfinite(value) else None


# The page


def page_data(report):
    page = (report / "report.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def table(data, name):
    found = [t for t in data["tables"] if t["name"] == name]
    assert len(found) == 1, f"table {name}: {len(found)} of it"
    return [dict(zip(found[0]["columns"], row)) for row in found[0]["rows"]], found[0]["source"]


def chart(data, name):
    found = [c for c in data["charts"] if c["name"] == name]
    assert len(found) == 1, f"chart {name}: {len(found)} of it"
    return found[0]["figures"]


def close(ours, theirs, what):
    if ours is None or theirs is None:
        assert ours is None and theirs is None, f"{what}: {theirs} in the page, {ours} from the logs"
        return
    assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12), (
        f"{what}: {theirs} in the page, {ours} from the logs"
    )


def check_row(row, expected, what):
    """All of a row's figures, and no other: what nobody has computed again is not checked unseen."""
    unknown = set(row) - set(expected)
    assert not unknown, f"{what}: nobody computes {', '.join(sorted(unknown))} again"
    for key, value in expected.items():
        if isinstance(value, str):
            assert row[key] == value, f"{what}, {key}: {row[key]} in the page, {value} from the logs"
        else:
            close(value, row[key], f"{what}, {key}")


# Tables and curves of any runs


def final_row(name, runs):
    values = [r["end"]["test_accuracy"] for r in done(runs)]
    low, high = fraction_interval(values) or (None, None)
    return {
        "configuration": name,
        "n": len(runs),
        "completed": len(values),
        "mean_test_accuracy": mean(values),
        "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
        "low": low,
        "high": high,
        "minimum": min(values, default=None),
        "maximum": max(values, default=None),
        "mean_test_loss": mean(r["end"]["test_loss"] for r in done(runs)),
    }


def threshold_row(name, runs, threshold):
    crossings = [(r, crossing(r, threshold)) for r in runs]
    reached = [(r, c) for r, c in crossings if c]
    return {
        "configuration": name,
        "threshold": threshold,
        "n": len(runs),
        "reached": len(reached),
        "median_steps": median([c[0] for _, c in reached], len(runs)),
        "median_examples": median([examples(r, c[0]) for r, c in reached], len(runs)),
        "median_seconds": median([c[1] for _, c in reached], len(runs)) if all(map(alone, runs)) else None,
    }


def targets_within_reach(runs):
    """Those of MNIST if a run reaches the lowest; else the highest whole percent that one reaches, and two below."""
    curves = [test_curve(run) for run in runs if run["end"]["status"] != "diverged"]
    best = max((point[1] for curve in curves for point in curve if point[1] is not None), default=0)
    highest = next((percent for percent in range(100, 2, -1) if best >= percent / 100), None)
    if best >= THRESHOLDS[0] or highest is None:
        return THRESHOLDS
    return [(highest - 2) / 100, (highest - 1) / 100, highest / 100]


def check_groups(data, groups, targets=THRESHOLDS):
    """`final` and `thresholds`: a row for each group, and for each group and target.

    - groups: runs by the name that the page gives them.
    """
    finals, _ = table(data, "final")
    thresholds, _ = table(data, "thresholds")
    assert len(finals) == len(groups) and len(thresholds) == len(groups) * len(targets)
    for name, group in groups.items():
        check_row(next(r for r in finals if r["configuration"] == name), final_row(name, group), name)
        for threshold in targets:
            row = next(r for r in thresholds if r["configuration"] == name and r["threshold"] == threshold)
            check_row(row, threshold_row(name, group, threshold), f"{name} to {threshold}")


def quartiles(values):
    """Between order statistics; None where the lower one is of a run that is below all others."""
    values = sorted(values)
    for fraction in (0.25, 0.5, 0.75):
        place = fraction * (len(values) - 1)
        low, high = values[math.floor(place)], values[math.ceil(place)]
        yield low + (place - math.floor(place)) * (high - low) if math.isfinite(low) else None


def check_curves(data, name, groups, points, diverged_is_lowest=False):
    """Medians, quartiles and counts of a drawing's curves, over the steps.

    - points: the (step, value) pairs of a run.
    - diverged_is_lowest: a run that diverged counts behind its last figure as below all others, and else not at all.
    """
    series = chart(data, name)["series"]
    assert len(series) == len(groups), f"{name}: {len(series)} curves"
    for label, group in groups.items():
        drawn = next(s for s in series if s["label"] == label)
        values, ends = {}, []
        for run in group:
            if diverged_is_lowest and run["end"]["status"] == "diverged":
                ends.append(max((step for step, value in points(run) if value is not None), default=-1))
            for step, value in points(run):
                if value is not None:
                    values.setdefault(step, []).append(value)
        assert drawn["runs"] == len(group), f"{name}, {label}: {drawn['runs']} runs"
        assert drawn["x"][0] == sorted(values), f"{name}, {label}: other steps"
        for i, step in enumerate(sorted(values)):
            found = values[step] + [-math.inf for end in ends if end < step]
            low, middle, high = quartiles(found)
            what = f"{name}, {label} at step {step}"
            close(low, drawn["lower_quartile"][i], f"{what}, lower quartile")
            close(middle, drawn["median"][i], f"{what}, median")
            close(high, drawn["upper_quartile"][i], f"{what}, upper quartile")
            assert drawn["n"][i] == len(found), what
