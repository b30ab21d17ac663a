"""Computes the figures of a study's report again, from its logs and saved weights alone, and compares them with the data
in the page, the text of the claims and runs.csv.

Usage: study_figures.py REPORT STUDY [--reference FILE] [--data DIR]

REPORT is the report's folder, STUDY that of the runs (with presets, times, controls, ablation-rates, ablation, scale-rates, scale and
workers-N), FILE what the study was given as --reference, and DIR has the test images as IDX files: without it nothing
is computed from weights, and the calibration, confusions and single digits stay unchecked.
"""

import argparse
import json
import math
import pathlib
from fractions import Fraction

from report_csv import check_csv
from report_logs import (
    THRESHOLDS, alone, chart, check_curves, check_groups, check_row, close, done, examples, fraction_interval, mean, median,
    page_data, read, single, table, test_curve,
)  # fmt: skip
from study_claims import PRIMARY, check_claims, report_text, section
from study_hindrance import check_hindrance, control_groups
from study_statistics import log_rank, mcnemar, of_mean, of_ratios, of_table

SCALED = ["mse-tanh", "ce-softmax"]


def sweep(study, name):
    listed = json.loads((study / name / "sweep.json").read_text())["runs"]
    assert listed, f"{study / name}: no runs"
    return [read(study / name / run["id"]) for run in listed]


def grouped(runs, key):
    groups = {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        groups.setdefault(key(run), []).append(run)
    return groups


def rate(run):
    return float(run["settings"]["learning_rate"])


def layer_points(run, key, layer):
    """Means of a layer's figure over parts of an epoch, of which all epochs have about sixty, at each part's end."""
    length = run["epochs"][0]["step"] if run["epochs"] else run["steps"][-1]["step"]
    parts = min(max(60 // int(run["settings"]["epochs"]), 1), length)
    points = {}
    for record in run["steps"]:
        epoch, within = divmod(record["step"] - 1, length)
        points.setdefault((epoch, within * parts // length), []).append(record)
    for records in points.values():
        yield max(r["step"] for r in records), mean(single(r[key][layer]) for r in records)


# Times


def steps_to(run, threshold):
    """The first reading on held-out examples at the threshold; None where there is none, and for a run that diverged."""
    if run["end"]["status"] == "diverged":
        return None
    return next((v["step"] for v in run["validations"] if (v["accuracy"] or 0) >= threshold), None)


def budget(runs):
    """The (steps, examples) that each of them may use."""
    epochs, whole = int(runs[0]["settings"]["epochs"]), max(e["examples"] for r in runs for e in r["epochs"])
    return epochs * -(-whole // runs[0]["end"]["batch_size"]), epochs * whole


class Comparison:
    """Of runs that are paired by seed: (time, whether the target was reached), a run that was not has the horizon."""

    def __init__(self, slow, fast, threshold, horizon, time=lambda run, step: step):
        def times(runs):
            found = [(run, steps_to(run, threshold)) for run in runs]
            return [(horizon, False) if step is None else (time(run, step), True) for run, step in found]

        seeds = {r["seed"] for r in slow} & {r["seed"] for r in fast}
        self.slow, self.fast = (times(r for r in runs if r["seed"] in seeds) for runs in (slow, fast))
        self.horizon = horizon
        self.slow_median, self.fast_median = (middle_time(times) for times in (self.slow, self.fast))

    @property
    def told(self):
        return any(reached for _, reached in self.slow + self.fast)

    @property
    def ratio(self):
        return self.told and of_ratios(*([[time for time, _ in times]] for times in (self.slow, self.fast)))

    @property
    def log_rank(self):
        return log_rank(self.slow, self.fast)

    @property
    def bound(self):
        whole = tuple(all(reached for _, reached in times) for times in (self.slow, self.fast))
        return {(True, True): "exact", (False, True): "at least", (True, False): "at most"}.get(whole, "undetermined")


def middle_time(times):
    return median([time for time, reached in times if reached], len(times))


def check_times(data, groups):
    horizon, _ = budget([run for group in groups.values() for run in group])
    rows, _ = table(data, "times")
    assert [(r["configuration"], r["target"]) for r in rows] == [(n, t) for n in SCALED for t in THRESHOLDS]
    for row in rows:
        group = groups[row["configuration"]]
        times = Comparison(group, group, row["target"], horizon).slow
        found = of_mean([time for time, _ in times])
        low, high = found.interval or (None, None)
        expected = {
            "configuration": row["configuration"],
            "target": row["target"],
            "n": len(times),
            "reached": sum(reached for _, reached in times),
            "diverged": sum(r["end"]["status"] == "diverged" for r in group),
            "median_steps": middle_time(times),
            "restricted_mean_steps": found.estimate,
            "low": low,
            "high": high,
        }
        check_row(row, expected, f"times of {row['configuration']} to {row['target']}")
    rows, _ = table(data, "time-ratios")
    found = {t: Comparison(*(groups[name] for name in SCALED), t, horizon) for t in THRESHOLDS}
    for row, (target, comparison) in zip(rows, found.items(), strict=True):
        ratio = comparison.ratio or None
        low, high = (ratio and ratio.interval) or (None, None)
        chi_square, p = comparison.log_rank
        expected = {
            "target": target,
            "pairs": len(comparison.slow),
            "ratio": ratio and ratio.estimate,
            "low": low,
            "high": high,
            "bound": comparison.bound,
            "log_rank_chi_square": chi_square,
            "log_rank_p": p,
        }
        check_row(row, expected, f"ratio of times to {target}")
    for series, name in zip(chart(data, "time-to-target")["series"], SCALED, strict=True):
        check_survival(series, Comparison(groups[name], groups[name], PRIMARY, horizon).slow, horizon, name)
    return found[PRIMARY]


def check_survival(series, times, horizon, name):
    """Nobody is censored before the horizon, so that the curve is the fraction that is there: stairs with their band."""
    count = len(times)
    z = 1.959963984540054
    edge = 1 - 0.025 ** (1 / count)
    corners = [(0, 0, 0.0, edge)]
    for time in sorted({time for time, reached in times if reached}):
        corners.append((time, *corners[-1][1:]))
        there = sum(reached and other <= time for other, reached in times)
        left = 1 - there / count
        if left == 0:
            corners.append((time, 1, 1 - edge, 1))
            continue
        # Greenwood's sum without censoring is (1 - S) / (n S).
        spread = math.exp(z * math.sqrt((1 - left) / (count * left)) / -math.log(left))
        corners.append((time, 1 - left, 1 - left ** (1 / spread), 1 - left**spread))
    corners.append((horizon, *corners[-1][1:]))
    drawn = zip(series["x"][0], series["estimate"], series["lower"], series["upper"])
    assert series["runs"] == count and len(series["x"][0]) == len(corners), f"curve of {name}: {len(corners)} corners"
    for expected, found in zip(corners, drawn):
        for ours, theirs in zip(expected, found):
            assert abs(ours - theirs) < 1e-9, f"curve of {name}: {theirs} in the page, {ours} from the logs"


# The choice of rates


def merit(runs, threshold):
    """How well a rate did with its worst seed: of no more seeds than it was tried with it can only be better."""
    valid = [r["validations"] if r["end"]["status"] != "diverged" else [] for r in runs]
    last = min((v[-1]["accuracy"] or 0.0) if v else 0.0 for v in valid)
    if threshold is None:
        return (0, last)
    steps = [steps_to(r, threshold) for r in runs]
    # Among rates that get there, accuracy decides nothing.
    return (0, last) if None in steps else (1, -max(steps))


def check_choice(row, trials, runs, seeds, what, threshold=None):
    """All runs have the rate that does best with the worst of all tuning seeds, which are none of theirs."""
    rates = grouped(trials, rate)
    assert {r["seed"] for r in trials}.isdisjoint(r["seed"] for r in runs), what
    assert {r["settings"]["epochs"] for r in trials} == {r["settings"]["epochs"] for r in runs}, f"{what}: other epochs"
    (chosen,) = {rate(r) for r in runs}
    assert len(rates[chosen]) == seeds, f"{what}: {chosen} was tried with {len(rates[chosen])} of {seeds} seeds"
    best = merit(rates[chosen], threshold)
    for other, group in rates.items():
        # Of equals the lowest.
        found = merit(group, threshold)
        assert found < best or (found == best and other >= chosen), f"{what}: {other} is better"
    grid = sorted(rates)
    place = grid.index(chosen) + 1
    edge = ", edge" if place in (1, len(grid)) else ""
    assert row["rate_place"] == f"{place} of {len(grid)}{edge}", f"{what}: {row['rate_place']}, and {chosen} of {grid}"


# Which part does it?


def variant(run):
    s = run["settings"]
    loss = "MSE" if s["loss"] == "mse" else s["loss"]
    hidden = "ReLU" if s["hidden_activation"] == "relu" else s["hidden_activation"]
    targets = "0/1" if s["targets"] == "zero-one" else "±1"
    return f"{loss}, {s['output_activation']}, hidden {hidden}, targets {targets}"


def check_ablation(data, trials, runs):
    rows, _ = table(data, "ablation")
    bars = {bar["label"]: bar for bar in chart(data, "ablation")}
    groups, tried = grouped(runs, variant), grouped(trials, variant)
    seeds = len({run["seed"] for run in trials})
    assert {row["variant"] for row in rows} == set(groups) == set(tried) == set(bars)
    for row in rows:
        name = row["variant"]
        group = groups[name]
        check_choice(row, tried[name], group, seeds, name)
        values = [r["end"]["test_accuracy"] for r in done(group)]
        low, high = (fraction_interval(values) if len(values) >= 3 else None) or (None, None)
        expected = {
            "variant": name,
            "learning_rate": rate(group[0]),
            "rate_place": row["rate_place"],
            "n": len(group),
            "mean_test_accuracy": mean(values),
            "low": low,
            "high": high,
            "diverged": sum(r["end"]["status"] == "diverged" for r in group),
        }
        check_row(row, expected, name)
        for key, value in (("value", mean(values)), ("low", low), ("high", high)):
            close(value, bars[name][key], f"bar of {name}, {key}")
    means = [row["mean_test_accuracy"] or 0 for row in rows]
    assert means == sorted(means, reverse=True), "the ablation is not in order"


# At scale


def point(run):
    return run["start"]["configuration"], run["end"]["batch_size"]


def noise_scale(run, epoch):
    """McCandlish et al. 2018, appendix A.1, from the norms of leaves and of the batch; None where there is none."""
    batch = run["end"]["batch_size"]
    leaf = int(run["settings"].get("micro_batch", max(16, -(-batch // 64))))
    signal = noise = 0.0
    for step in run["steps"]:
        norms = [step["gradient_norms"], step.get("batch_gradient_norms") or []]
        if step["epoch"] != epoch or not norms[1] or None in norms[0] + norms[1]:
            continue
        # |G|² and tr Σ of one step from two equations, by Cramer's rule; a step counts as often as it has examples.
        count = examples(run, step["step"]) - examples(run, step["step"] - 1)
        leaves = [min(leaf, count - start) for start in range(0, count, leaf)]
        if len(leaves) < 2:
            continue
        size = count / len(leaves)
        small, large = (sum(single(norm) ** 2 for norm in layers) for layers in norms)
        rows = (mean(b * b for b in leaves) / size**2, 1 / size), (1, 1 / count)
        determinant = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
        signal += count * (small * rows[1][1] - rows[0][1] * large) / determinant
        noise += count * (rows[0][0] * large - small * rows[1][0]) / determinant
    return noise / signal if signal > 0 else None


def mean_noise(runs, epoch):
    found = [noise_scale(r, epoch(r)) for r in runs if r["steps"]]
    return mean(scale for scale in found if scale is not None)


def critical_batch(points):
    """S = S0 + E0 / B by least squares of the relative errors, solved in fractions; E0 / S0, or None."""
    if len(points) < 3:
        return None
    # Each row is (1, 1/B) / S against 1: the normal equations.
    rows = [(1 / Fraction(steps), 1 / Fraction(steps * batch)) for batch, steps in points]
    aa, ab, bb = (sum(x[i] * x[j] for x in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = sum(x[0] for x in rows), sum(x[1] for x in rows)
    determinant = aa * bb - ab * ab
    steps, examples = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    return float(examples / steps) if steps > 0 and examples > 0 else None


def check_scale(data, text, trials, runs):
    rows, _ = table(data, "scale")
    groups, tried = grouped(runs, point), grouped(trials, point)
    seeds = len({run["seed"] for run in trials})
    batches = sorted({b for _, b in groups})
    assert [(r["configuration"], r["batch_size"]) for r in rows] == [(n, b) for n in SCALED for b in batches]
    _, horizon = budget(runs)
    found = {b: Comparison(*(groups[name, b] for name in SCALED), PRIMARY, horizon, examples) for b in batches}
    steps = {
        key: [steps_to(run, PRIMARY) for run in group] for key, group in groups.items()
    }
    medians = {key: median([s for s in group if s is not None], len(group)) for key, group in steps.items()}
    for row in rows:
        key = (row["configuration"], row["batch_size"])
        group, comparison = groups[key], found[row["batch_size"]]
        check_choice(row, tried[key], group, seeds, str(key), PRIMARY)
        assert len({r["settings"]["epochs"] for r in runs}) == 1, "the budget is not the same for all batches"
        expected = {
            "configuration": key[0],
            "batch_size": key[1],
            "learning_rate": rate(group[0]),
            "rate_place": row["rate_place"],
            "n": len(group),
            "reached": sum(s is not None for s in steps[key]),
            "median_steps": medians[key],
            "median_examples": comparison.slow_median if key[0] == SCALED[0] else comparison.fast_median,
            "noise_first": mean_noise(group, lambda run: 1),
            "noise_last": mean_noise(group, lambda run: max(s["epoch"] for s in run["steps"])),
        }
        check_row(row, expected, str(key))
    check_scale_curves(chart(data, "steps-to-accuracy")["series"], groups, "steps-to-accuracy", lambda run, step: step)
    check_scale_curves(chart(data, "examples-to-accuracy")["series"], groups, "examples-to-accuracy", examples)
    for name in SCALED:
        check_critical_batch(text, name, {batch: m for (n, batch), m in medians.items() if n == name})
    check_efficiency(data, found)
    return found


def check_efficiency(data, found):
    rows, _ = table(data, "efficiency")
    for row, (batch, comparison) in zip(rows, found.items(), strict=True):
        reached = [sum(there for _, there in times) for times in (comparison.slow, comparison.fast)]
        ratio = comparison.ratio or None
        low, high = (ratio and ratio.interval) or (None, None)
        expected = {
            "batch_size": batch,
            "pairs": len(comparison.slow),
            "reached_mse_tanh": reached[0],
            "reached_ce_softmax": reached[1],
            "ratio": ratio and ratio.estimate,
            "low": low,
            "high": high,
            "bound": comparison.bound if ratio else "not measured",
        }
        check_row(row, expected, f"efficiency at batch {batch}")


def check_critical_batch(text, name, medians):
    critical = critical_batch([(batch, s) for batch, s in medians.items() if s])
    shown = "cannot be fitted" if critical is None else f"{critical:,.0f}"
    fitted = next(line for line in section(text, "At scale") if "critical batch" in line)
    assert f"{name}: {shown}" in fitted, f"critical batch of {name}: {shown} from the logs; {fitted}"


def check_scale_curves(series, groups, name, time):
    """Medians, those that did not get there being never: there the line has no figure."""
    for s, preset in zip(series, SCALED, strict=True):
        batches = sorted(batch for n, batch in groups if n == preset)
        assert s["x"][0] == batches, f"{name}, {preset}: other batches"
        found = []
        for i, batch in enumerate(batches):
            group = groups[preset, batch]
            steps = [steps_to(r, PRIMARY) for r in group]
            known = [time(r, step) for r, step in zip(group, steps) if step is not None]
            found.append(median(known, len(group)))
            close(found[i], s["median"][i], f"{name}, {preset}, batch {batch}")
            assert s["n"][i] == len(group)
        censored = [i for i, value in enumerate(found) if value is None]
        assert s["censored"] == censored, f"{name}, {preset}: censored are {censored}"


# Accuracy over seeds and digits


class Advantage:
    """Of cross-entropy over MSE, from what the trained networks decide."""

    def __init__(self, outputs):
        mse, other = (outputs[name].wrong for name in SCALED)
        self.digits = other.shape[1]
        self.difference = of_table(mse - other)
        self.accuracies = []
        for wrong in (other, mse):
            found = of_table(wrong)
            bounds = found.interval
            self.accuracies.append((1 - found.estimate, bounds and (1 - bounds[1], 1 - bounds[0])))
        self.counts = [(int((a < b).sum()), int((a > b).sum())) for a, b in zip(other, mse)]
        self.pvalues = [mcnemar(*counts) for counts in self.counts]


def check_accuracy(data, groups, outputs):
    close_calls = sum(outputs[name].close_calls for name in SCALED)
    assert close_calls == 0, f"{close_calls} decisions are too close to be told apart: look at these by hand"
    found = Advantage(outputs)
    rows, _ = table(data, "accuracy")
    expected = [
        ("mse-tanh", *found.accuracies[1]),
        ("ce-softmax", *found.accuracies[0]),
        ("ce-softmax − mse-tanh", found.difference.estimate, found.difference.interval),
    ]
    for row, (name, value, bounds) in zip(rows, expected, strict=True):
        low, high = bounds or (None, None)
        check_row(row, {"configuration": name, "test_accuracy": value, "low": low, "high": high}, name)
    rows, _ = table(data, "mcnemar")
    seeds = [run["seed"] for run in done(groups["ce-softmax"])]
    for row, seed, counts, p in zip(rows, seeds, found.counts, found.pvalues, strict=True):
        only = {"only_ce_softmax": counts[0], "only_mse_tanh": counts[1]}
        check_row(row, {"seed": seed, **only, "p": p}, f"networks of seed {seed}")
    return found


# Workers


def check_workers(data, study, scale):
    folders = sorted(study.glob("workers-*"), key=lambda path: int(path.name[8:]))
    if not folders:
        assert not any(t["name"] == "workers" for t in data["tables"])
        return 0
    runs = {int(f.name[8:]): grouped(sweep(study, f.name), lambda run: run["start"]["configuration"]) for f in folders}
    rows, _ = table(data, "workers")
    assert [(r["workers"], r["configuration"]) for r in rows] == [(n, name) for n in runs for name in SCALED]
    rates = {
        (n, name): mean(r["end"]["examples_per_second"] for r in groups[name] if alone(r))
        for n, groups in runs.items()
        for name in SCALED
    }
    for row in rows:
        count, name = row["workers"], row["configuration"]
        (batch,) = {r["end"]["batch_size"] for r in runs[count][name]}
        comparison = scale.get(batch)
        needed = comparison and (comparison.slow_median if name == SCALED[0] else comparison.fast_median)
        hashes = [[r["end"]["weights_sha256"] for r in runs[n][name]] for n in (0, count)]
        expected = {
            "workers": count,
            "configuration": name,
            "examples_per_second": rates[count, name],
            "efficiency": rates[count, name] / rates[1, name] / max(count, 1),
            "seconds_to_95": needed and needed / rates[count, name],
            "same_weights": "the same bits" if hashes[0] == hashes[1] else "DIFFERENT",
        }
        check_row(row, expected, f"{count} workers, {name}")
    for series, name in zip(chart(data, "workers")["series"], SCALED, strict=True):
        for x, y in zip(series["x"][0], series["median"], strict=True):
            close(rates[x, name], y, f"throughput of {x} workers, {name}")
    return sum(len(group) for groups in runs.values() for group in groups.values())


# Beside another program


def check_reference(data, groups, reference):
    rows, _ = table(data, "reference")
    names = [name for name in SCALED if name in reference]
    assert [row["configuration"] for row in rows] == names
    curves = {
        name: (
            [[e["test_accuracy"] for e in r["epochs"]] for r in done(groups[name])],
            [[epoch[4] for epoch in r["epochs"]] for r in reference[name]["runs"]],
        )
        for name in names
    }
    # The last epoch that all have.
    last = min(max(map(len, runs)) for pair in curves.values() for runs in pair) - 1
    for row in rows:
        name = row["configuration"]
        ours, theirs = curves[name]
        expected = {
            "configuration": name,
            "n": len(ours),
            "n_reference": len(theirs),
            "difference": mean(c[last] for c in ours) - mean(c[last] for c in theirs),
        }
        for key, end in (("first", 0), ("last", last)):
            expected[key] = mean(curve[end] for curve in ours)
            expected[f"{key}_reference"] = mean(curve[end] for curve in theirs)
        check_row(row, expected, f"{name} beside the reference")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("report", type=pathlib.Path)
    arguments.add_argument("study", type=pathlib.Path)
    arguments.add_argument("--reference", type=pathlib.Path)
    arguments.add_argument("--data", type=pathlib.Path)
    options = arguments.parse_args()
    data, text = page_data(options.report), report_text(options.report)
    known = {"final", "thresholds", "ablation", "scale", "workers", "calibration", "reference"}
    known |= {"controls", "hindrance", "times", "time-ratios", "efficiency", "accuracy", "mcnemar"}
    unknown = {t["name"] for t in data["tables"]} - known
    assert not unknown, f"nobody computes {', '.join(sorted(unknown))} again"

    presets = sweep(options.study, "presets")
    groups = grouped(presets, lambda run: run["start"]["configuration"])
    check_groups(data, groups)
    check_curves(data, "test-accuracy", groups, lambda run: [p[:2] for p in test_curve(run)], True)
    check_curves(data, "train-loss", groups, lambda run: [(e["step"], e["train_loss"]) for e in run["epochs"]])
    for layer in range(len(presets[0]["steps"][0]["saturation"])):
        for name, key in (("gradient-norm", "gradient_norms"), ("saturation", "saturation")):
            check_curves(data, f"{name}-{layer + 1}", groups, lambda run: layer_points(run, key, layer))
    for bar in chart(data, "final-accuracy"):
        values = [r["end"]["test_accuracy"] for r in done(groups[bar["label"]])]
        close(mean(values), bar["value"], f"bar of {bar['label']}")
        assert sorted(values) == sorted(bar["runs"]) or len(values) == 1
    check_csv(data, presets, options.report)

    runs = sweep(options.study, "times")
    times = check_times(data, grouped(runs, lambda run: run["start"]["configuration"]))
    controls = sweep(options.study, "controls")
    networks = control_groups(groups, controls)
    check_hindrance(data, networks)
    ablation = [sweep(options.study, name) for name in ("ablation-rates", "ablation")]
    check_ablation(data, *ablation)
    scale = [sweep(options.study, name) for name in ("scale-rates", "scale")]
    batches = check_scale(data, text, *scale)
    workers = check_workers(data, options.study, batches)
    if options.reference:
        check_reference(data, groups, json.loads(options.reference.read_text())["configurations"])
    else:
        assert not any(t["name"] == "reference" for t in data["tables"]), "give its --reference"

    total = sum(len(runs) for runs in [presets, runs, controls, *ablation, *scale]) + workers
    assert f"{total:,} runs" in text, f"{total} runs are there"
    outputs = advantage = None
    if options.data:
        from study_outputs import check_outputs

        outputs = check_outputs(data, groups, options.data)
        advantage = check_accuracy(data, groups, outputs)
    variants = grouped(ablation[1], variant)
    check_claims(text, groups, networks, variants, times, list(batches.values()), outputs, advantage)
    print(f"{total} runs: all figures are those of the logs")


main()
