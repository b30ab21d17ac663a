"""What a study's trained networks say to each test digit, computed again with numpy in double precision from the saved
weights (safetensors) and the test images (IDX).

The last bits of an output differ from those of the program, so a decision or a bin may differ where two of them are
nearly alike. Such cases are counted, and the figures may differ by no more than these cases.
"""

import gzip
import hashlib
import json
import math
import pathlib
import struct

import numpy as np

from report_logs import chart, table
from study_hindrance import check_weights
from study_statistics import student_interval

# Outputs nearer than this are alike, as far as two ways to compute them go.
NEAR = 1e-5


def idx(folder, name):
    path = pathlib.Path(folder) / name
    data = path.read_bytes() if path.exists() else gzip.decompress((path.parent / (name + ".gz")).read_bytes())
    zero, kind, rank = struct.unpack_from(">HBB", data)
    assert zero == 0 and kind == 8, path
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(struct.unpack_from(f">{rank}I", data, 4))


def weights(run):
    folders = sorted((pathlib.Path(run["folder"]) / "checkpoints").glob("step-*"), key=lambda p: int(p.name[5:]))
    data = (folders[-1] / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            raw = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4")
            tensors[name] = raw.reshape(entry["shape"])
    layers = [(tensors[f"layers.{i}.kernel"], tensors[f"layers.{i}.bias"]) for i in range(len(tensors) // 2)]
    flat = b"".join(part.tobytes() for layer in layers for part in layer)
    assert hashlib.sha256(flat).hexdigest() == run["end"]["weights_sha256"], f"{run['folder']}: other weights"
    return layers


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "identity": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def outputs(run, images):
    x = images.reshape(len(images), -1).astype(np.float32).astype(float) / 255
    layers = weights(run)
    for kernel, bias in layers[:-1]:
        x = ACTIVATIONS[run["settings"]["hidden_activation"]](x @ kernel.astype(float) + bias)
    x = x @ layers[-1][0].astype(float) + layers[-1][1]
    if run["settings"]["output_activation"] == "softmax":
        x = np.exp(x - x.max(axis=1, keepdims=True))
        x /= x.sum(axis=1, keepdims=True)
    else:
        x = ACTIVATIONS[run["settings"]["output_activation"]](x)
    # To the precision of the program's outputs: those that saturate are alike.
    return x.astype(np.float32).astype(float)


class Calibration:
    """Guo et al. 2017, with 15 bins of one width."""

    bins = 15

    def __init__(self, values, labels):
        rows = np.arange(len(values))
        decisions = values.argmax(axis=1)
        confidence = np.clip(values[rows, decisions], 0, 1)
        place = np.minimum((confidence * self.bins).astype(int), self.bins - 1)
        right = decisions == labels
        self.count = np.bincount(place, minlength=self.bins)
        with np.errstate(invalid="ignore"):
            self.confidence = np.bincount(place, confidence, self.bins) / self.count
            self.accuracy = np.bincount(place, right, self.bins) / self.count
        filled = self.count > 0
        self.error = (self.count * abs(self.accuracy - self.confidence))[filled].sum() / len(values)
        truth = np.zeros_like(values)
        truth[rows, labels] = 1
        self.brier = ((values - truth) ** 2).sum() / len(values)
        possible = np.maximum(values, 1e-7)
        self.surprise = -np.log(possible[rows, labels] / possible.sum(axis=1)).mean()
        self.sum = values.sum() / len(values)
        self.impossible = ((values < 0) | (values > 1)).mean()
        # Both sides of 0 and of 1 are in one bin.
        edge = np.round(confidence * self.bins)
        alike = abs(confidence * self.bins - edge) < NEAR * self.bins
        self.near_edges = (alike & (edge > 0) & (edge < self.bins)).sum()
        self.near_bounds = (abs(values) < NEAR).mean() + (abs(values - 1) < NEAR).mean()


def near(ours, theirs, tolerance, what):
    assert abs(ours - theirs) <= tolerance, f"{what}: {theirs} in the page, {ours} from the weights"


def fitted_temperature(scores, labels):
    """Of the least negative log-likelihood, by bisection of its slope over the inverse temperature."""
    low, high = 1e-3, 1e3
    for _ in range(80):
        inverse = math.sqrt(low * high)
        mean_score = (softmax(scores * inverse) * scores).sum(axis=1)
        slope = (mean_score - scores[np.arange(len(labels)), labels]).sum()
        low, high = (low, inverse) if slope > 0 else (inverse, high)
    return 1 / inverse


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def tempered(values, labels, is_softmax):
    """Each half with the temperature of the other one; and the mean temperature."""
    scores = np.log(np.maximum(values, 1e-30)) if is_softmax else values
    result, found = np.empty_like(scores), []
    for half in (0, 1):
        found.append(fitted_temperature(scores[1 - half :: 2], labels[1 - half :: 2]))
        result[half::2] = softmax(scores[half::2] / found[half])
    return result, sum(found) / 2


class Outputs:
    """Of one preset, over all seeds."""

    def __init__(self, runs, images, labels):
        self.runs = len(runs)
        every = [outputs(run, images) for run in runs]
        is_softmax = runs[0]["settings"]["output_activation"] == "softmax"
        scaled = [tempered(values, labels, is_softmax) for values in every]
        self.temperatures = [temperature for _, temperature in scaled]
        self.kinds = {
            "": [Calibration(values, labels) for values in every],
            ", (y + 1) / 2": [Calibration((values + 1) / 2, labels) for values in every],
            ", temperature": [Calibration(values, labels) for values, _ in scaled],
        }
        if runs[0]["settings"]["output_activation"] == "tanh":
            check_weights(runs, every, labels)
        values = np.concatenate(every)
        truth = np.tile(labels, len(runs))
        self.plain = Calibration(values, truth)
        self.rescaled = Calibration((values + 1) / 2, truth)
        self.tempered = Calibration(np.concatenate([values for values, _ in scaled]), truth)
        decisions = values.argmax(axis=1)
        highest = np.sort(values, axis=1)
        # Exactly alike is no close call: the first one counts.
        gap = highest[:, -1] - highest[:, -2]
        close_call = gap < NEAR
        self.close_calls = int(close_call.sum())
        self.confusion = np.zeros((10, 10), int)
        np.add.at(self.confusion, (truth, decisions), 1)
        self.right = (decisions == truth).reshape(len(runs), -1).sum(axis=0)
        self.wrong = (decisions != truth).reshape(len(runs), -1).astype(int)
        self.unsure = close_call.reshape(len(runs), -1).sum(axis=0)


def check_outputs(data, groups, folder):
    """Calibration, reliability, confusions and galleries; the recomputed outputs by preset."""
    images, labels = idx(folder, "t10k-images-idx3-ubyte"), idx(folder, "t10k-labels-idx1-ubyte").astype(int)
    found = {name: Outputs(groups[name], images, labels) for name in ("mse-tanh", "ce-softmax")}
    check_calibration(data, found)
    for name, preset in found.items():
        drawn = np.array(chart(data, f"confusion-{name}")["values"]).reshape(10, 10)
        assert drawn.sum() == preset.confusion.sum(), name
        # A decision that differs is one too many in one cell and one too few in another.
        near(abs(drawn - preset.confusion).sum(), 0, 2 * preset.close_calls, f"confusions of {name}")
    for right, wrong in (("ce-softmax", "mse-tanh"), ("mse-tanh", "ce-softmax")):
        check_gallery(data, f"only-{right}", found[right], found[wrong], labels)
    return found


def check_calibration(data, found):
    pooled = {"": "plain", ", (y + 1) / 2": "rescaled", ", temperature": "tempered"}
    shown = [("mse-tanh", kind) for kind in pooled] + [("ce-softmax", kind) for kind in ("", ", temperature")]
    kinds = {
        name + kind: (getattr(found[name], pooled[kind]), found[name].close_calls, found[name], kind)
        for name, kind in shown
    }
    rows, _ = table(data, "calibration")
    drawn = chart(data, "reliability")
    assert [row["outputs"] for row in rows] == [series["label"] for series in drawn] == list(kinds)
    for row, series, (name, (ours, close_calls, preset, kind)) in zip(rows, drawn, kinds.items()):
        total = ours.count.sum()
        unsure = ours.near_edges + close_calls
        seeds = preset.kinds[kind]
        assert row["n"] == len(seeds)
        checked = {"outputs", "n", "temperature", "mean_output_sum", "impossible_share"}
        slack = 1e-5 + 2 * unsure / total
        for key, values, tolerance in (
            ("expected_calibration_error", [seed.error for seed in seeds], slack),
            ("brier_score", [seed.brier for seed in seeds], 1e-5),
            ("negative_log_likelihood", [seed.surprise for seed in seeds], 1e-5),
        ):
            bounds = student_interval(values) or (None, None)
            near(np.mean(values), row[key], tolerance, f"{name}, {key}")
            for end, bound in zip(("low", "high"), bounds):
                if bound is None:
                    assert row[f"{key}_{end}"] is None, f"{name}, {key}: {row[f'{key}_{end}']} is no interval"
                else:
                    # Student's bounds move by up to four times as much where one network does.
                    near(max(bound, 0), row[f"{key}_{end}"], 4 * tolerance, f"{name}, {key}, {end}")
            checked |= {key, f"{key}_low", f"{key}_high"}
        assert set(row) == checked, f"calibration: {list(row)}"
        if kind == ", temperature":
            near(np.mean(preset.temperatures), row["temperature"], 3e-5, f"{name}, temperature")
        else:
            assert row["temperature"] is None
        near(ours.sum, row["mean_output_sum"], 1e-5, f"{name}, sum of outputs")
        near(ours.impossible, row["impossible_share"], ours.near_bounds, f"{name}, impossible share")
        places = np.flatnonzero(ours.count)
        assert len(series["count"]) == len(places), f"{name}: {len(series['count'])} bins are drawn"
        near(abs(np.array(series["count"]) - ours.count[places]).sum(), 0, 2 * unsure, f"{name}, bins")
        for i, place in enumerate(places):
            slack = 1e-5 + 2 * unsure / ours.count[place]
            near(ours.confidence[place], series["confidence"][i], slack, f"{name}, confidence of bin {place}")
            near(ours.accuracy[place], series["accuracy"][i], slack, f"{name}, accuracy of bin {place}")


def check_gallery(data, name, right, wrong, labels):
    """The captions of the clearest digits that most seeds of one preset get right, and of the other wrong."""
    share = right.right / right.runs - wrong.right / wrong.runs
    slack = right.unsure / right.runs + wrong.unsure / wrong.runs
    digits = sorted(np.flatnonzero(share > 0.5), key=lambda digit: (-share[digit], digit))
    if not any(c["name"] == name for c in data["charts"]):
        assert all(share[digit] - slack[digit] <= 0.5 for digit in digits), f"{name}: not drawn"
        return
    captions = chart(data, name)
    if not (right.unsure + wrong.unsure)[(share + slack) > 0.5].any():
        assert len(captions) == min(len(digits), 12), f"{name}: {len(captions)} digits"
        expected = [f"a {labels[d]}\nno. {d}\n{right.right[d]} against {wrong.right[d]}" for d in digits[:12]]
        assert captions == expected, f"{name}: {captions} in the page, {expected} from the weights"
