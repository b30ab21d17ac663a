"""ONNX's checker judges model.onnx, and onnxruntime computes it. usage: onnx_file.py FOLDER"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

import network

folder = pathlib.Path(sys.argv[1])
model = onnx.load(folder / "model.onnx")
onnx.checker.check_model(model, full_check=True)
assert model.ir_version == 8 and [o.version for o in model.opset_import] == [13]
metadata, _ = network.load_npz(folder)
assert {entry.key: entry.value for entry in model.metadata_props} == metadata
assert metadata["dataset"] in model.doc_string, model.doc_string

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
(pixels,) = session.get_inputs()
(outputs,) = session.get_outputs()
assert (pixels.name, pixels.shape, pixels.type) == ("pixels", ["N", 784], "tensor(float)")
assert (outputs.name, outputs.shape, outputs.type) == ("outputs", ["N", 10], "tensor(float)")
x = network.images(folder)
network.check("onnxruntime", session.run(["outputs"], {"pixels": x})[0], folder)
# One image alone gives what it gives among all.
alone = session.run(["outputs"], {"pixels": x[7:8]})[0]
expected = np.fromfile(folder / "outputs.f32", "<f4").reshape(-1, 10)[7:8]
assert np.abs(alone - expected).max() <= network.TOLERANCE
