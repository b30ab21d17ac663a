"""The figures and verdicts of a study's claims, computed again and looked for in the report's text.

Every number in a claim's text must be one that is expected, and the other way round; its words may be any.
"""

import re
import statistics

from report_logs import THRESHOLDS, done, interval, mean, single, test_curve, within

# No figures: the names of what is compared.
NAMES = ["(y + 1) / 2", "(x + 1) / 2", "0…1"]


def report_text(report):
    text = (report / "report.md").read_text()
    for sign, meaning in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(sign, meaning)
    return re.sub(r"\\([\\`*_\[\]|#])", r"\1", text)


def section(text, title):
    found = [part for part in text.split("\n## ") if part.startswith(title + "\n")]
    assert len(found) == 1, f"section {title}: {len(found)} of it"
    return found[0].splitlines()[1:]


def numbers(text):
    for name in NAMES:
        text = text.replace(name, "")
    for sign, digits in re.findall(r"([+−]?)(\d[\d,]*(?:\.\d+)?)", text):
        digits = digits.rstrip(",").replace(",", "")
        places = len(digits.partition(".")[2])
        yield (-1 if sign == "−" else 1) * float(digits), places


def check_numbers(text, expected, claim):
    """Each number is the expected one, to half of its last digit; an expected (value, slack) may be off by more."""
    found = list(numbers(text))
    assert len(found) == len(expected), f"{claim}: {len(expected)} figures expected in “{text}”: {expected}"
    for (shown, places), value in zip(found, expected):
        value, slack = value if isinstance(value, tuple) else (value, 0)
        assert abs(shown - value) <= 0.5000001 * 10**-places + slack, f"{claim}: {value} expected in “{text}”"


def check_claims(text, presets, variants, steps, outputs):
    """
    - presets: the runs of each preset; variants: those of each combination of parts, by its label.
    - steps: the median steps to each threshold, by configuration and batch.
    - outputs: those of the trained weights; None if nobody has looked at them.
    """
    rows = [line.strip("| ").split(" | ") for line in section(text, "The claims") if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("Claim", "---")]
    expected = [
        slowness(presets["mse-tanh"], presets["ce-softmax"]),
        inaccuracy(presets["ce-softmax"], presets["mse-tanh"]),
        significance(presets["ce-softmax"], presets["mse-tanh"]),
        rescaling(presets["mse-tanh-rescaled"], presets["mse-tanh"]),
        probabilities(outputs),
        saturation(presets["mse-tanh"]),
        hindrance(
            variants["MSE, identity, hidden tanh, targets 0/1"], variants["MSE, tanh, hidden tanh, targets 0/1"]
        ),
        efficiency(steps),
    ]
    assert len(rows) == len(expected), f"{len(rows)} claims"
    for (claim, _, figure, verdict), found in zip(rows, expected):
        if found is not None:
            check_numbers(figure, found[0], claim)
            assert verdict == found[1], f"{claim}: {verdict}, and the logs say {found[1]}"


def by_seed(runs, value):
    return {run["seed"]: value(run) for run in done(runs)}


def paired(a, b):
    return [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]


def verdict(differences):
    if len(differences) >= 3:
        low, high = interval(differences)
    else:
        low, high = min(differences), max(differences)
    return "supported" if low > 0 else "refuted" if high <= 0 else "inconclusive"


def difference(values, scale=1):
    """The mean, from three on its interval at 95 %, and how many there are."""
    if len(values) < 3:
        # The numbers of one and two seeds are spelled out.
        return [mean(values) * scale]
    low, high = interval(values)
    return [mean(values) * scale, low * scale, high * scale, 95, len(values)]


def spread(values, scale=100):
    return [mean(values) * scale] + ([statistics.stdev(values) * scale] if len(values) > 1 else [])


def complete(*groups):
    for run in (run for group in groups for run in group):
        assert run["end"]["status"] in ("completed", "target"), f"{run['folder']}: {run['end']['status']}"


def slowness(slow, fast):
    complete(slow, fast)

    def reached(threshold):
        def step(run):
            curve = test_curve(run)
            there = next((s for s, accuracy, _ in curve if (accuracy or 0) >= threshold), None)
            return (True, there) if there is not None else (False, curve[-1][0])

        return [by_seed(runs, step) for runs in (slow, fast)]

    for threshold in reversed(THRESHOLDS):
        a, b = reached(threshold)
        if not all(a[seed][0] or b[seed][0] for seed in a.keys() & b.keys()):
            continue
        # A run that did not get there could have at its next step at the earliest.
        earliest = [{s: step + (not there) for s, (there, step) in runs.items()} for runs in (a, b)]
        values = paired(*earliest)
        whole = [all(there for there, _ in runs.values()) for runs in (a, b)]
        found = verdict(values)
        admitted = {(True, True): (found,), (False, True): ("supported",), (True, False): ("refuted",)}
        if found not in admitted.get(tuple(whole), ()):
            found = "inconclusive"
        means = [mean(s for _, s in runs.values()) for runs in (a, b) if any(there for there, _ in runs.values())]
        return [threshold * 100, *means, *difference(values)], found
    return [THRESHOLDS[0] * 100], "inconclusive"


def accuracies(runs):
    return by_seed(runs, lambda run: run["end"]["test_accuracy"])


def inaccuracy(better, worse):
    complete(better, worse)
    a, b = accuracies(better), accuracies(worse)
    values = paired(a, b)
    return spread(list(a.values())) + spread(list(b.values())) + difference(values, 100), verdict(values)


def significance(better, worse):
    values = paired(accuracies(better), accuracies(worse))
    if len(values) < 3:
        return [], "inconclusive"
    low, high = interval(values)
    t = mean(values) / (statistics.stdev(values) / len(values) ** 0.5)
    p = 1 - within(abs(t), len(values) - 1)
    return [
        mean(values) * 100, 95, low * 100, high * 100, t, 0.001 if p < 0.001 else p, len(values)
    ], verdict(values)  # fmt: skip


def rescaling(rescaled, plain):
    ends = [run["end"] for run in rescaled + plain]
    changed = sum(end["rescaling_changed_decisions"] for end in ends)
    compared = sum(end["rescaling_compared_decisions"] for end in ends)
    if changed == 0:
        return [changed, compared], "refuted"
    figures, found = inaccuracy(rescaled, plain)
    return figures + [changed, compared], found


def probabilities(outputs):
    if outputs is None:
        return None
    mse, other = outputs["mse-tanh"], outputs["ce-softmax"]
    slack = 1e-5 + sum(2 * (o.plain.near_edges + o.close_calls) / o.plain.count.sum() for o in outputs.values())
    figures = [(mse.plain.impossible * 100, 1e-3)]
    figures += [(c.sum, 1e-5) for c in (mse.plain, mse.rescaled, other.plain)]
    figures += [(c.error, slack) for c in (mse.plain, mse.rescaled, other.plain)]
    # And the rule's own.
    return figures + [1], "supported" if mse.plain.impossible > 0.01 else "refuted"


def saturation(runs):
    complete(runs)

    def shares(run):
        newest = max(step["epoch"] for step in run["steps"])
        rows = [step["saturation"] for step in run["steps"] if step["epoch"] == newest]
        return [mean(single(row[layer]) for row in rows) for layer in range(len(rows[0]))]

    layers = list(zip(*(shares(run) for run in runs)))
    most = max(mean(layer) for layer in layers)
    figures = []
    for number, layer in enumerate(layers, 1):
        figures += ([number] if number < len(layers) else []) + spread(layer)
    found = "supported" if most >= 0.10 else "refuted" if most < 0.01 else "inconclusive"
    return figures + [len(runs), 10, 1], found


def hindrance(identity, tanh):
    values = paired(accuracies(identity), accuracies(tanh))
    if len(values) < 3:
        return [], "inconclusive"
    low, high = interval(values)
    return [mean(values) * 100, 95, low * 100, high * 100, len(values)], verdict(values)


def efficiency(steps):
    batches = sorted({batch for _, batch in steps})
    for index in reversed(range(len(THRESHOLDS))):
        pairs = [(steps["mse-tanh", batch][index], steps["ce-softmax", batch][index]) for batch in batches]
        ratios = sorted(slow / fast for slow, fast in pairs if slow and fast)
        if len(ratios) < 2:
            continue
        better = sum(ratio > 1 for ratio in ratios)
        found = "supported" if better == len(ratios) else "refuted" if better == 0 else "inconclusive"
        figures = [THRESHOLDS[index] * 100, statistics.median(ratios), len(ratios), ratios[0], ratios[-1], better]
        return figures, found
    return [], "inconclusive"
