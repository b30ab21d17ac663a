"""A run is exported while TensorBoard has its folder open: what is new appears with the next reload, whatever the run
has been through. usage: tensorboard_growth.py LOCKSTEP RUN_DIR"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

# TensorBoard's own sign that it is to do without TensorFlow, which takes seconds to start where it is there.
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")

from tensorboard.backend.event_processing import event_accumulator

EVERYTHING = {kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}

lockstep, run = sys.argv[1:]
lines = pathlib.Path(run, "metrics.jsonl").read_text().splitlines(keepends=True)
events = [json.loads(line)["event"] for line in lines]
end = json.loads(lines[-1])


def interrupted(count):
    """The first lines, and the end of a run that was interrupted there."""
    steps = events[:count].count("step")
    return lines[:count] + [json.dumps(end | {"status": "interrupted", "steps": steps}) + "\n"]


third = len(lines) // 3
with tempfile.TemporaryDirectory() as folder:
    growing, board = pathlib.Path(folder, "growing"), pathlib.Path(folder, "board")
    shutil.copytree(run, growing)
    accumulator = None
    # With half of a line, interrupted, gone back to a checkpoint before that, and on to the end.
    for log in (lines[:third] + [lines[third][:20]], interrupted(2 * third), lines[:2 * third - 5], lines):
        (growing / "metrics.jsonl").write_text("".join(log))
        subprocess.run([lockstep, "export", growing, "--to", "tensorboard", "--output", board], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if accumulator is None:
            accumulator = event_accumulator.EventAccumulator(str(board / "growing"), size_guidance=EVERYTHING)
        accumulator.Reload()
        steps = [json.loads(line)["step"] for line in log if line.endswith("\n") and '"event":"step"' in line]
        found = [event.step for event in accumulator.Scalars("step/loss")]
        assert found[:len(steps)] == steps, (len(found), len(steps))
        assert len(found) == len(set(found)), "a step is there twice"
        print(len(found), "steps")
    assert [event.step for event in accumulator.Scalars("step/loss")] == [
        json.loads(line)["step"] for line in lines if '"event":"step"' in line]
    assert [event.step for event in accumulator.Scalars("epoch/test_loss")] == [
        json.loads(line)["epoch"] for line in lines if '"event":"epoch"' in line]
    assert "_hparams_/session_end_info" in accumulator.Tags()["tensors"]
