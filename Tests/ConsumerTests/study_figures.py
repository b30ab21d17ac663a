"""Computes the figures of a study's report again, from its logs and saved weights alone, and compares them with the data
in the page, the text of the claims and runs.csv.

Usage: study_figures.py REPORT STUDY [--reference FILE] [--data DIR]

REPORT is the report's folder, STUDY that of the runs (with presets, ablation-rates, ablation, scale-rates, scale and
workers-N), FILE what the study was given as --reference, and DIR has the test images as IDX files: without it nothing
is computed from weights, and the calibration, confusions and single digits stay unchecked.
"""

import argparse
import json
import pathlib
from fractions import Fraction

from report_csv import check_csv
from report_logs import (
    THRESHOLDS, chart, check_curves, check_groups, check_row, close, done, interval, mean, median, page_data, read,
    single, table, test_curve,
)  # fmt: skip
from study_claims import check_claims, report_text, section

SCALED = ["mse-tanh", "ce-softmax"]
DRAWN_THRESHOLD = 0.96


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
    return float(run["settings"]["learning-rate"])


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


# The choice of rates


def steps_to(run, threshold):
    """The first evaluation on held-out examples at the threshold; None where there is none."""
    return next((v["step"] for v in run["validations"] if (v["accuracy"] or 0) >= threshold), None)


def merit(runs):
    """How well a rate did with its worst seed: of no more seeds than it was tried with it can only be better."""
    last = min((r["validations"][-1]["accuracy"] or 0.0) if r["validations"] else 0.0 for r in runs)
    reached, slowest = 0, 0
    for threshold in THRESHOLDS:
        steps = [steps_to(r, threshold) for r in runs]
        if None in steps:
            break
        reached, slowest = reached + 1, max(steps)
    return reached, -slowest, last


def check_choice(trials, runs, seeds, what):
    """All runs have the rate that does best with the worst of all tuning seeds, which are none of theirs."""
    rates = grouped(trials, rate)
    assert {r["seed"] for r in trials}.isdisjoint(r["seed"] for r in runs), what
    (chosen,) = {rate(r) for r in runs}
    assert len(rates[chosen]) == seeds, f"{what}: {chosen} was tried with {len(rates[chosen])} of {seeds} seeds"
    best = merit(rates[chosen])
    for other, group in rates.items():
        # Of equals the lowest.
        assert merit(group) < best or (merit(group) == best and other >= chosen), f"{what}: {other} is better"


# Which part does it?


def variant(run):
    s = run["settings"]
    loss = "MSE" if s["loss"] == "mse" else s["loss"]
    hidden = "ReLU" if s["hidden"] == "relu" else s["hidden"]
    targets = "0/1" if s["targets"] == "zero-one" else "±1"
    return f"{loss}, {s['output']}, hidden {hidden}, targets {targets}"


def check_ablation(data, trials, runs):
    rows, _ = table(data, "ablation")
    bars = {bar["label"]: bar for bar in chart(data, "ablation")}
    groups, tried = grouped(runs, variant), grouped(trials, variant)
    seeds = len({run["seed"] for run in trials})
    assert {row["variant"] for row in rows} == set(groups) == set(tried) == set(bars)
    for row in rows:
        name = row["variant"]
        group = groups[name]
        check_choice(tried[name], group, seeds, name)
        values = [r["end"]["test_accuracy"] for r in done(group)]
        low, high = (interval(values) if len(values) >= 3 else None) or (None, None)
        expected = {
            "variant": name,
            "learning_rate": rate(group[0]),
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


def middle(runs, threshold):
    """The median steps, those that did not get there last; None if it falls on one of these."""
    steps = [steps_to(run, threshold) for run in runs]
    return median([s for s in steps if s is not None], len(runs))


def noise_scale(run, epoch):
    """McCandlish et al. 2018, appendix A.1, from the norms of leaves and of the batch; None where there is none."""
    batch = run["end"]["batch_size"]
    leaf = int(run["settings"].get("micro-batch", max(16, -(-batch // 64))))
    if batch <= leaf:
        return None
    signal = noise = 0.0
    for step in run["steps"]:
        norms = [step["gradient_norms"], step.get("batch_gradient_norms") or []]
        if step["epoch"] != epoch or not norms[1] or None in norms[0] + norms[1]:
            continue
        small, large = (sum(single(norm) ** 2 for norm in layers) for layers in norms)
        signal += (batch * large - leaf * small) / (batch - leaf)
        noise += (small - large) / (1 / leaf - 1 / batch)
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
    assert [(r["configuration"], r["batch_size"]) for r in rows] == [
        (name, batch) for name in SCALED for batch in sorted({b for _, b in groups})
    ]
    for row in rows:
        key = (row["configuration"], row["batch_size"])
        group = groups[key]
        check_choice(tried[key], group, seeds, str(key))
        expected = {
            "configuration": key[0],
            "batch_size": key[1],
            "learning_rate": rate(group[0]),
            "n": len(group),
            "noise_first": mean_noise(group, lambda run: 1),
            "noise_last": mean_noise(group, lambda run: max(s["epoch"] for s in run["steps"])),
            "mean_test_accuracy": mean(r["end"]["test_accuracy"] for r in done(group)),
            "least_test_accuracy": min(r["end"]["test_accuracy"] for r in done(group)),
        }
        for threshold in THRESHOLDS:
            expected[f"steps_to_{threshold * 100:.0f}"] = middle(group, threshold)
        check_row(row, expected, str(key))
    for name, factor in (("steps-to-accuracy", lambda batch: 1), ("examples-to-accuracy", lambda batch: batch)):
        check_scale_curves(chart(data, name)["series"], groups, name, factor)
    for name in SCALED:
        check_critical_batch(text, name, groups)


def check_critical_batch(text, name, groups):
    steps = {batch: middle(group, DRAWN_THRESHOLD) for (n, batch), group in groups.items() if n == name}
    critical = critical_batch([(batch, s) for batch, s in steps.items() if s])
    shown = "cannot be fitted" if critical is None else f"{critical:,.0f}"
    fitted = next(line for line in section(text, "At scale") if "critical batch" in line)
    assert f"{name}: {shown}" in fitted, f"critical batch of {name}: {shown} from the logs; {fitted}"


def check_scale_curves(series, groups, name, factor):
    for s, preset in zip(series, SCALED, strict=True):
        batches = sorted(batch for n, batch in groups if n == preset)
        assert s["x"][0] == batches, f"{name}, {preset}: other batches"
        censored = []
        for i, batch in enumerate(batches):
            group = groups[preset, batch]
            points = [(steps_to(r, DRAWN_THRESHOLD), (r["validations"] or [{"step": 0}])[-1]["step"]) for r in group]
            # Up to where it did not get there, behind all that did.
            ranked = sorted((steps is None, last if steps is None else steps) for steps, last in points)
            values = [value * factor(batch) for _, value in ranked]
            if ranked[len(ranked) // 2][0]:
                censored.append(i)
            where = (len(values) - 1) / 2
            close(
                (values[int(where)] + values[int(where + 0.5)]) / 2, s["median"][i], f"{name}, {preset}, batch {batch}"
            )
            assert s["n"][i] == len(group)
        assert s["censored"] == censored, f"{name}, {preset}: censored are {censored}"


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
        (n, name): mean(r["end"]["examples_per_second"] for r in groups[name])
        for n, groups in runs.items()
        for name in SCALED
    }
    for row in rows:
        count, name = row["workers"], row["configuration"]
        (batch,) = {r["end"]["batch_size"] for r in runs[count][name]}
        steps = middle(scale[name, batch], THRESHOLDS[-1]) if (name, batch) in scale else None
        hashes = [[r["end"]["weights_sha256"] for r in runs[n][name]] for n in (0, count)]
        expected = {
            "workers": count,
            "configuration": name,
            "examples_per_second": rates[count, name],
            "efficiency": rates[count, name] / rates[1, name] / max(count, 1),
            "seconds_to_97": steps and steps * batch / rates[count, name],
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
    unknown = {t["name"] for t in data["tables"]} - known
    assert not unknown, f"nobody computes {', '.join(sorted(unknown))} again"

    presets = sweep(options.study, "presets")
    groups = grouped(presets, lambda run: run["start"]["configuration"])
    check_groups(data, groups)
    check_curves(data, "test-accuracy", groups, lambda run: [p[:2] for p in test_curve(run)])
    check_curves(data, "train-loss", groups, lambda run: [(e["step"], e["train_loss"]) for e in run["epochs"]])
    for layer in range(len(presets[0]["steps"][0]["saturation"])):
        for name, key in (("gradient-norm", "gradient_norms"), ("saturation", "saturation")):
            check_curves(data, f"{name}-{layer + 1}", groups, lambda run: layer_points(run, key, layer))
    for bar in chart(data, "final-accuracy"):
        values = [r["end"]["test_accuracy"] for r in done(groups[bar["label"]])]
        close(mean(values), bar["value"], f"bar of {bar['label']}")
        assert sorted(values) == sorted(bar["runs"]) or len(values) == 1
    check_csv(data, presets, options.report)

    ablation = [sweep(options.study, name) for name in ("ablation-rates", "ablation")]
    check_ablation(data, *ablation)
    scale = [sweep(options.study, name) for name in ("scale-rates", "scale")]
    check_scale(data, text, *scale)
    workers = check_workers(data, options.study, grouped(scale[1], point))
    if options.reference:
        check_reference(data, groups, json.loads(options.reference.read_text())["configurations"])
    else:
        assert not any(t["name"] == "reference" for t in data["tables"]), "give its --reference"

    total = sum(len(runs) for runs in [presets, *ablation, *scale]) + workers
    assert f"{total:,} runs" in text, f"{total} runs are there"
    outputs = None
    if options.data:
        from study_outputs import check_outputs

        outputs = check_outputs(data, groups, options.data)
    steps = {key: [middle(group, t) for t in THRESHOLDS] for key, group in grouped(scale[1], point).items()}
    check_claims(text, groups, grouped(ablation[1], variant), steps, outputs)
    print(f"{total} runs: all figures are those of the logs")


main()
