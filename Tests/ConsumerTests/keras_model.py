"""Keras takes the weights of model.npz and decides about the test set. usage: keras_model.py FOLDER..."""

import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

import network

for folder in sys.argv[1:]:
    metadata, layers = network.load_npz(folder)
    model = keras.Sequential([keras.layers.Input((784,))])
    for index, (_, bias) in enumerate(layers):
        activation = metadata["output_activation" if index == len(layers) - 1 else "hidden_activation"]
        activation = "linear" if activation == "identity" else activation
        model.add(keras.layers.Dense(len(bias), activation=activation))
    model.set_weights([array for layer in layers for array in layer])
    outputs = model.predict(network.images(folder), batch_size=1000, verbose=0)
    network.check("keras", outputs, folder)
    correct = int((outputs.argmax(1) == network.labels(folder)).sum())
    expected = int((pathlib.Path(folder) / "correct").read_text())
    print(f"keras: {correct} right, Lockstep {expected}")
    # Two outputs that differ in their last bits only may change places.
    if abs(correct - expected) > 1:
        sys.exit("the accuracies differ")
