"""TensorBoard's own reader lists what `lockstep export --to tensorboard` wrote, and every tag and value is compared
with metrics.jsonl; its HParams plugin makes the table. usage: tensorboard_events.py BOARD RUN_DIR..."""

import collections
import json
import os
import pathlib
import sys
import types

import numpy as np
import safetensors.numpy

# TensorBoard's own sign that it is to do without TensorFlow, which takes seconds to start where it is there.
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")

from tensorboard import context
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins import base_plugin
from tensorboard.plugins.histogram import summary_v2 as histogram
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.util import tensor_util

EVERYTHING = {kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}


def number(value):
    """A value of the log as a float32; null is what JSON has for NaN."""
    return np.float32(np.nan if value is None else value)


def expected_scalars(records):
    """{tag: [(step, value)]}"""
    scalars = collections.defaultdict(list)

    def add(tag, step, value):
        scalars[tag].append((step, number(value)))

    for record in records:
        if record["event"] == "step":
            for name in ("loss", "accuracy", "learning_rate"):
                add(f"step/{name}", record["step"], record[name])
            for tag, name in (("gradient_norm", "gradient_norms"), ("saturation", "saturation")):
                for layer, value in enumerate(record[name]):
                    add(f"{tag}/layer_{layer}", record["step"], value)
        elif record["event"] == "evaluation":
            for name in ("loss", "accuracy"):
                add(f"evaluation/{record['split']}_{name}", record["step"], record[name])
        elif record["event"] == "epoch":
            for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
                add(f"epoch/{name}", record["epoch"], record[name])
        elif record["event"] == "end":
            for name in ("test_loss", "test_accuracy"):
                add(f"end/{name}", record["steps"], record[name])
    return scalars


def check_run(folder, run):
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    accumulator = event_accumulator.EventAccumulator(str(folder), size_guidance=EVERYTHING)
    accumulator.Reload()
    scalars = expected_scalars(records)
    checkpoints = {
        int(path.name.removeprefix("step-")): safetensors.numpy.load_file(path / "model.safetensors")
        for path in (run / "checkpoints").iterdir()
    }
    histograms = {f"weights/{name}" for tensors in checkpoints.values() for name in tensors}
    others = {"run", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    tags = accumulator.Tags()
    # A scalar of the simple kind is listed as that, all the rest as tensors.
    assert set(tags["scalars"]) == set(scalars), set(tags["scalars"]) ^ set(scalars)
    assert set(tags["tensors"]) == histograms | others, tags["tensors"]
    for tag, points in scalars.items():
        found = accumulator.Scalars(tag)
        assert [event.step for event in found] == [step for step, _ in points], tag
        values = np.array([event.value for event in found], np.float32)
        np.testing.assert_array_equal(values, np.array([value for _, value in points]), tag)
        times = [event.wall_time for event in found]
        assert times == sorted(times), tag
    for step, tensors in checkpoints.items():
        for name, values in tensors.items():
            (event,) = accumulator.Tensors(f"weights/{name}")
            pb = histogram.histogram_pb("tag", values.astype(np.float64))
            expected = tensor_util.make_ndarray(pb.value[0].tensor)
            found = tensor_util.make_ndarray(event.tensor_proto)
            assert event.step == step
            np.testing.assert_allclose(found[:, :2], expected[:, :2], rtol=1e-12, atol=1e-15)
            # A value on an edge may fall on either side of it.
            assert found[:, 2].sum() == values.size == expected[:, 2].sum()
            assert np.abs(found[:, 2] - expected[:, 2]).max() <= 1, name
    texts = [tensor_util.make_ndarray(event.tensor_proto).item().decode()
             for event in accumulator.Tensors("run")]
    assert len(texts) == 2
    text = "".join(texts)
    for name in ("dataset", "dataset_sha256", "configuration_sha256", "weights_sha256"):
        assert f"| {name} | {records[-1][name]} |" in text, name
    print(f"{folder.name}: {len(scalars)} scalars, {len(histograms)} histograms")
    return records


def check_table(board, runs):
    """The HParams table has a row for each configuration, and in it a session for each seed."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(board))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(board))
    backend = backend_context.Context(
        base_plugin.TBContext(data_provider=provider, logdir=str(board)))
    request_context = context.RequestContext()
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=100, allowed_statuses=[api_pb2.STATUS_SUCCESS],
        aggregation_type=api_pb2.AGGREGATION_AVG)
    request.col_params.add(metric=api_pb2.MetricName(tag="end/test_accuracy"))
    response = list_session_groups.Handler(request_context, backend, "", request).run()

    seeds = collections.defaultdict(set)
    for name, records in runs.items():
        settings = dict(records[0]["settings"])
        settings.pop("seed")
        seeds[json.dumps(settings, sort_keys=True)].add(name)
    found = {frozenset(session.name for session in group.sessions)
             for group in response.session_groups}
    assert found == {frozenset(names) for names in seeds.values()}, found
    for group in response.session_groups:
        (settings,) = {json.dumps({k: v for k, v in runs[s.name][0]["settings"].items() if k != "seed"},
                                  sort_keys=True) for s in group.sessions}
        parameters = {}
        for name, value in group.hparams.items():
            parameters[name] = (value.number_value if value.HasField("number_value")
                                else value.string_value)
        dataset = parameters.pop("dataset")
        assert dataset == runs[group.sessions[0].name][0]["dataset"]
        expected = json.loads(settings)
        assert set(parameters) == set(expected)
        for name, value in parameters.items():
            assert value == (float(expected[name]) if isinstance(value, float) else expected[name])
        assert isinstance(parameters["batch_size"], float)
        for session in group.sessions:
            (accuracy,) = [metric.value for metric in session.metric_values
                           if metric.name.tag == "end/test_accuracy"]
            assert np.float32(accuracy) == number(runs[session.name][-1]["test_accuracy"])
        print(f"{group.name}: {len(group.sessions)} sessions")


board = pathlib.Path(sys.argv[1])
runs = {os.path.basename(path): pathlib.Path(path) for path in sys.argv[2:]}
assert {path.name for path in board.iterdir()} == set(runs)
check_table(board, {name: check_run(board / name, run) for name, run in runs.items()})
