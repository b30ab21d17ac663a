"""NumPy computes the network of model.npz. usage: npz_file.py FOLDER"""

import sys

import numpy as np

import network

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z - z.max(1, keepdims=True))
    / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True),
    "identity": lambda z: z,
}

folder = sys.argv[1]
metadata, layers = network.load_npz(folder)
x = network.images(folder)
for index, (kernel, bias) in enumerate(layers):
    assert kernel.dtype == bias.dtype == np.float32
    x = ACTIVATIONS[metadata["output_activation" if index == len(layers) - 1 else "hidden_activation"]](x @ kernel + bias)
network.check("numpy", x, folder)
