"""What somebody's converter has made of a file: `PYTHON peer_side.py KIND MODEL INPUTS.npy OUTPUTS.npz`.

Runs in the converter's own environment, and so imports nothing of this project but where that is the converter.
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

# How many numbers can be trained, and what comes out.
Seen = tuple[int, list[Any]]


def count(variables: Iterable[Any]) -> int:
    """How many numbers are in them."""
    return sum(int(np.prod(variable.shape)) for variable in variables)


def seen(model: Any, inputs: Any) -> Seen:
    """Of a Keras model."""
    import keras

    outputs = model(inputs)
    made = outputs if isinstance(outputs, list) else [outputs]
    return count(model.trainable_variables), list(map(keras.ops.convert_to_numpy, made))


def unlite(path: str, inputs: Any) -> Seen:
    """Of a `.keras` file that unlite has written."""
    import converter

    return seen(converter.load(path), inputs)


def built(path: str, inputs: Any) -> Seen:
    """Of the model that unlite builds of a `.tflite` file."""
    import converter

    return seen(converter.convert(converter.read(path)), inputs)


def litert_tunner(path: str, inputs: Any) -> Seen:
    """Of the model that litert-tunner builds of a `.tflite` file."""
    import litert_tunner as tuner

    return seen(tuner.load_model(path), inputs)


def saved_model(path: str, inputs: Any) -> Seen:
    """Of what onnx2tf has written: what can be trained is what its function still has as variables."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    function = loaded.signatures["serving_default"]
    outputs = function(tf.constant(inputs))
    return count(function.trainable_variables), list(map(np.asarray, outputs.values()))


KINDS: dict[str, Callable[[str, Any], Seen]] = {
    made.__name__: made for made in (unlite, built, litert_tunner, saved_model)
}


def main(kind: str, model: str, inputs: str, outputs: str) -> None:
    """Write what comes out, and print what can be trained."""
    trainable, made = KINDS[kind](model, np.load(inputs))
    np.savez(outputs, *made)
    print(json.dumps(trainable))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
