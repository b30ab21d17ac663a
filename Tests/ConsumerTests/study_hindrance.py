"""Saturation and hindrance of mse-tanh and its controls, computed again from the logs; for mse-tanh the hindrance itself
from the saved weights.
"""

import math

import numpy as np

from report_logs import chart, check_curves, check_row, done, mean, single, table
from study_statistics import student_interval

LABELS = {("relu", "tanh"): "hidden ReLU", ("sigmoid", "tanh"): "hidden sigmoid", ("tanh", "identity"): "identity output"}


def control_groups(presets, controls):
    """Runs by what the page calls them; mse-tanh with the seeds of the controls."""
    seeds = {run["seed"] for run in controls}
    groups = {"mse-tanh": [run for run in presets["mse-tanh"] if run["seed"] in seeds]}
    for key, label in LABELS.items():
        parts = ("hidden_activation", "output_activation")
        groups[label] = [run for run in controls if tuple(run["settings"][part] for part in parts) == key]
        assert {run["seed"] for run in groups[label]} == seeds, label
    assert sum(map(len, groups.values())) == len(controls) + len(seeds)
    return groups


def saturation(run):
    """Means over the steps of the newest epoch, by layer."""
    newest = max(step["epoch"] for step in run["steps"])
    rows = [step["saturation"] for step in run["steps"] if step["epoch"] == newest]
    return [mean(single(row[layer]) for row in rows) for layer in range(len(rows[0]))]


def bounded(values, upper=1):
    bounds = student_interval(values) if len(values) > 1 else None
    return [None, None] if bounds is None else [min(max(bound, 0), upper) for bound in bounds]


def check_hindrance(data, groups):
    for name, key in (("gradient-passed", "test_gradient_passed"), ("error-passed", "test_error_passed")):
        check_curves(data, name, groups, lambda run: [(e["step"], e[key]) for e in run["epochs"] if key in e])
    epochs = max(len(run["epochs"]) for runs in groups.values() for run in runs)
    shown = sorted({1, (epochs + 1) // 2, epochs})
    rows, _ = table(data, "hindrance")
    assert [(r["network"], r["epoch"]) for r in rows] == [(name, epoch) for name in groups for epoch in shown]
    for row in rows:
        records = [e for run in done(groups[row["network"]]) for e in run["epochs"] if e["epoch"] == row["epoch"]]
        expected = {"network": row["network"], "epoch": row["epoch"], "n": len(records)}
        expected["test_accuracy"] = mean(e["test_accuracy"] for e in records)
        for name in ("error", "gradient"):
            values = [e[f"test_{name}_passed"] for e in records]
            expected[f"{name}_passed"] = mean(values)
            expected[f"{name}_low"], expected[f"{name}_high"] = bounded(values)
        check_row(row, expected, f"hindrance of {row['network']} in epoch {row['epoch']}")
    rows, _ = table(data, "controls")
    for row, (name, runs) in zip(rows, groups.items(), strict=True):
        expected = {"network": name, "n": len(runs)}
        layers = list(zip(*(saturation(run) for run in done(runs))))
        for key, layer in (("hidden", layers[-2]), ("output", layers[-1])):
            expected[f"{key}_saturation"] = mean(layer)
            expected[f"{key}_low"], expected[f"{key}_high"] = bounded(list(layer))
        values = [run["end"]["test_accuracy"] for run in done(runs)]
        expected["test_accuracy"] = mean(values)
        expected["low"], expected["high"] = bounded(values)
        check_row(row, expected, f"control {name}")


def check_weights(runs, every, labels):
    """The last epoch's figures from the definitions: outputs y of tanh, targets 0 and 1, the mean squared error."""
    for run, y in zip(runs, every, strict=True):
        target = np.eye(y.shape[1])[labels]
        derivative = 1 - y**2
        error = 2 * (y - target) / y.shape[1]
        passed = math.sqrt(((error * derivative) ** 2).sum() / (error**2).sum())
        last = run["epochs"][-1]
        assert abs(last["test_error_passed"] - derivative.mean()) < 1e-5, f"{run['folder']}: {derivative.mean()}"
        assert abs(last["test_gradient_passed"] - passed) < 1e-5, f"{run['folder']}: {passed}"
