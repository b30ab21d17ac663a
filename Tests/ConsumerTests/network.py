"""What the consumer tests share: the test set in a run's folder, and Lockstep's own outputs on it."""

import pathlib
import sys

import numpy as np

TOLERANCE = 1e-5


def images(folder):
    """[examples, 784], floats in 0…1."""
    pixels = np.fromfile(pathlib.Path(folder) / "t10k-images-idx3-ubyte", np.uint8)
    return pixels[16:].reshape(-1, 784).astype(np.float32) / 255


def labels(folder):
    return np.fromfile(pathlib.Path(folder) / "t10k-labels-idx1-ubyte", np.uint8)[8:]


def load_npz(folder):
    """The metadata, and the (kernel, bias) of each layer."""
    with np.load(pathlib.Path(folder) / "model.npz", allow_pickle=False) as file:
        metadata = {str(key): str(value) for key, value in file["metadata"]}
        count = len(metadata["layers"].split(",")) - 1
        assert len(file.files) == 2 * count + 1, file.files
        layers = [
            (file[f"layers.{index}.kernel"], file[f"layers.{index}.bias"]) for index in range(count)
        ]
    return metadata, layers


def check(tool, outputs, folder):
    """Ends the script unless the outputs are Lockstep's."""
    expected = np.fromfile(pathlib.Path(folder) / "outputs.f32", "<f4").reshape(-1, 10)
    assert outputs.shape == expected.shape, (outputs.shape, expected.shape)
    difference = float(np.abs(outputs - expected).max())
    print(f"{tool}: {len(outputs)} images, largest difference {difference:.1e}")
    if not difference <= TOLERANCE:
        sys.exit(f"{tool} differs by more than {TOLERANCE}")
