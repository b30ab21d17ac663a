"""The safetensors package reads model.safetensors and writes it again, in an order of its own, as
again/model.safetensors. usage: safetensors_file.py FOLDER"""

import hashlib
import pathlib
import sys

import safetensors
import safetensors.numpy

folder = pathlib.Path(sys.argv[1])
with safetensors.safe_open(folder / "model.safetensors", "numpy") as file:
    metadata = file.metadata()
    tensors = {name: file.get_tensor(name) for name in file.keys()}
widths = [int(width) for width in metadata["layers"].split(",")]
digest = hashlib.sha256()
for index, shape in enumerate(zip(widths, widths[1:])):
    kernel, bias = tensors[f"layers.{index}.kernel"], tensors[f"layers.{index}.bias"]
    assert (kernel.shape, bias.shape) == (shape, shape[1:])
    digest.update(kernel.tobytes() + bias.tobytes())
assert len(tensors) == 2 * (len(widths) - 1)
assert digest.hexdigest() == metadata["weights_sha256"]
(folder / "again").mkdir()
safetensors.numpy.save_file(tensors, folder / "again" / "model.safetensors", metadata)
print(f"safetensors: {len(tensors)} tensors, weights {digest.hexdigest()[:12]}")
