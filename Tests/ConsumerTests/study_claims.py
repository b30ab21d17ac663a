"""The figures and verdicts of a study's claims, computed again and looked for in the report's text.

Every number in a claim's text must be one that is expected, and the other way round; its words may be any.
"""

import re
import statistics

from report_logs import THRESHOLDS, done, mean
from study_hindrance import saturation
from study_statistics import (
    ACCURACY_MARGIN, FEWEST_PAIRS, RATIO_MARGIN, of_ratios, student_effect, student_interval, verdicts,
)  # fmt: skip

PRIMARY = THRESHOLDS[0]

# No figures: the names of what is compared.
NAMES = ["1 − y²", "(y + 1) / 2", "(x + 1) / 2", "0…1"]


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


def check_claims(text, presets, networks, variants, times, scale, outputs, advantage):
    """
    - presets: the runs of each preset; networks: those of mse-tanh and its controls; variants: those of each combination of parts, by its label.
    - times: a Comparison of the steps to the primary target; scale: one of the examples for each batch.
    - outputs and advantage: those of the trained weights; None if nobody has looked at them.
    """
    rows = [line.strip("| ").split(" | ") for line in section(text, "The claims") if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("Claim", "---")]
    expected = [
        slowness(times),
        inaccuracy(advantage),
        rescaling(presets["mse-tanh-rescaled"], presets["mse-tanh"]),
        probabilities(outputs),
        saturated(presets["mse-tanh"], networks),
        hindrance(
            variants["MSE, identity, hidden tanh, targets 0/1"], variants["MSE, tanh, hidden tanh, targets 0/1"]
        ),
        efficiency(scale),
    ]
    assert len(rows) == len(expected), f"{len(rows)} claims"
    if outputs is None:
        # The family is not whole.
        return
    judged = verdicts([found[1] if isinstance(found[1], tuple) else None for found in expected])
    for (claim, _, figure, verdict), (figures, found), judgement in zip(rows, expected, judged):
        if judgement:
            found, p = judgement
            figures = figures + [0.001 if p < 0.001 else p]
        check_numbers(figure, figures, claim)
        assert verdict == (found or "not tested"), f"{claim}: {verdict}, and the logs say {found or 'not tested'}"


def by_seed(runs, value):
    return {run["seed"]: value(run) for run in done(runs)}


def paired(a, b):
    return [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]


def difference(values, scale=1):
    """The mean, from three on its interval at 95 %, and how many there are."""
    figures = [mean(values) * scale]
    found = student_interval(values)
    figures += [bound * scale for bound in found] if found else []
    # The numbers of one and two seeds are spelled out.
    return figures + ([95, len(values)] if len(values) >= FEWEST_PAIRS else [])


def spread(values, scale=100):
    return [mean(values) * scale] + ([statistics.stdev(values) * scale] if len(values) > 1 else [])


def complete(*groups):
    for run in (run for group in groups for run in group):
        assert run["end"]["status"] in ("completed", "target"), f"{run['folder']}: {run['end']['status']}"


def slowness(times):
    if not times.told:
        return [PRIMARY * 100, times.horizon], None
    ratio, (_, p) = times.ratio, times.log_rank
    figures = [PRIMARY * 100]
    for runs in (times.slow, times.fast):
        figures.append(mean(time for time, _ in runs))
        count = sum(reached for _, reached in runs)
        figures += [] if count == len(runs) else [count, len(runs)]
    figures += [times.horizon, ratio.estimate, *(ratio.interval or ()), ratio.units]
    return figures + ([] if p is None else [0.001 if p < 0.001 else p]), bounded(ratio, {times.bound})


def bounded(ratio, bounds):
    effect = ratio.effect(RATIO_MARGIN)
    bounds -= {"exact"}
    return effect and (*effect, "exact" if not bounds else bounds.pop() if len(bounds) == 1 else "undetermined")


def accuracies(runs):
    return by_seed(runs, lambda run: run["end"]["test_accuracy"])


def inaccuracy(advantage):
    """Of the trained weights: the bootstraps of both accuracies and of their difference, and McNemar's p of each seed."""
    if advantage is None:
        return [], None
    figures = []
    for accuracy in advantage.accuracies:
        figures += [accuracy[0] * 100] + [bound * 100 for bound in accuracy[1] or ()]
    ratio = advantage.difference
    figures += [bound * 100 for bound in (ratio.estimate, *(ratio.interval or ()))]
    significant = sum(p <= 0.05 for p in advantage.pvalues)
    return figures + [ratio.units, advantage.digits, significant, len(advantage.pvalues)], ratio.effect(ACCURACY_MARGIN)


def accuracy_difference(better, worse):
    complete(better, worse)
    a, b = accuracies(better), accuracies(worse)
    values = paired(a, b)
    figures = spread(list(a.values())) + spread(list(b.values())) + difference(values, 100)
    return figures, student_effect(values, ACCURACY_MARGIN)


def rescaling(rescaled, plain):
    # Runs with the same weights are one network.
    ends = list({run["end"]["weights_sha256"]: run["end"] for run in plain + rescaled}.values())
    hashes = [{run["seed"]: run["end"]["weights_sha256"] for run in runs} for runs in (rescaled, plain)]
    seeds = hashes[0].keys() & hashes[1].keys()
    same = [sum(hashes[0][seed] == hashes[1][seed] for seed in seeds), len(seeds)]
    same = same if same[0] else []
    changed = sum(end["rescaling_changed_decisions"] for end in ends)
    compared = sum(end["rescaling_compared_decisions"] for end in ends)
    if changed == 0:
        return [changed, compared, *same], "refuted" if len({end["seed"] for end in ends}) >= FEWEST_PAIRS else None
    figures, found = accuracy_difference(rescaled, plain)
    return figures + [changed, compared, *same], found


def probabilities(outputs):
    if outputs is None:
        return [], None
    mse, other = outputs["mse-tanh"], outputs["ce-softmax"]
    slack = 1e-5 + sum(
        2 * (o.plain.near_edges + o.tempered.near_edges + o.close_calls) / o.plain.count.sum()
        for o in outputs.values()
    )
    figures = [(mse.plain.impossible * 100, 1e-3)]
    figures += [(c.sum, 1e-5) for c in (mse.plain, mse.rescaled, other.plain)]
    kinds = [mse.kinds[""], mse.kinds[", (y + 1) / 2"], other.kinds[""]]
    kinds += [o.kinds[", temperature"] for o in (mse, other)]
    figures += [(mean(float(seed.error) for seed in seeds), slack) for seeds in kinds]
    # And the rule's own.
    tested = min(mse.runs, other.runs) >= FEWEST_PAIRS
    return figures + [1], None if not tested else "supported" if mse.plain.impossible > 0.01 else "refuted"


def saturated(runs, networks):
    complete(runs)
    layers = list(zip(*(saturation(run) for run in runs)))
    most = max(layers, key=mean)
    figures = []
    for number, layer in enumerate(layers, 1):
        figures += ([number] if number < len(layers) else []) + spread(layer)
    figures += [len(runs), 10]
    controls = [done(group) for name, group in networks.items() if name != "mse-tanh"]
    figures.append(max(map(len, controls)))
    for group in controls:
        figures += [mean(layer) * 100 for layer in zip(*(saturation(run) for run in group))]
    return figures, student_effect(most, 0.10)


def hindrance(identity, tanh):
    values = paired(accuracies(identity), accuracies(tanh))
    effect = student_effect(values, ACCURACY_MARGIN)
    if effect is None:
        return [], None
    found = student_interval(values)
    bounds = [95, *(bound * 100 for bound in found)] if found else []
    last = [run["epochs"][-1] for run in done(tanh)]
    passed = [epoch["test_gradient_passed"] for epoch in last]
    interval = student_interval(passed) or ()
    left = [mean(epoch["test_error_passed"] for epoch in last), *(100 * p for p in (mean(passed), *interval))]
    return [mean(values) * 100, *bounds, len(values), *left], effect


def efficiency(scale):
    """Over the batches at which a run of either gets there."""
    told = [c for c in scale if c.told]
    if not told:
        return [], None
    ratio = of_ratios(
        [[time for time, _ in c.slow] for c in told], [[time for time, _ in c.fast] for c in told]
    )
    at = [(c.slow_median is not None, c.fast_median is not None) for c in scale]
    figures = [PRIMARY * 100, ratio.estimate, *(ratio.interval or ()), len(told), len(scale), ratio.units]
    figures += [at.count(pair) for pair in ((True, True), (False, True), (True, False))]
    return figures + [told[0].horizon], bounded(ratio, {c.bound for c in told})
