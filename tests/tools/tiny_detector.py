"""A detector of a few layers that finds something in every picture."""

from typing import Any

import numpy as np

from converter.detectors.table import Detector
from tests.tools.lazy import keras, layers

SIDE = 32
TINY = Detector("tiny", SIDE, SIDE, (8, 8), 1.0, 0.5)


def tiny_detector(activation: str = "PReLU", classes: int = 1, *, logits_first: bool = False) -> Any:
    """Four anchors in each of 4×4 cells, boxes around a third of the picture, random scores around a half."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((SIDE, SIDE, 3), name="picture")
    for number in range(2):
        x = layers.Conv2D(8, 3, 2, "same", name=f"conv_{number}")(x)
        settings = {"shared_axes": (1, 2), "alpha_initializer": "glorot_normal"} if activation == "PReLU" else {}
        x = getattr(layers, activation)(name=f"{activation.lower()}_{number}", **settings)(x)
    sizes = np.tile([0, 0, SIDE / 3, SIDE / 3], 4)
    bias = keras.initializers.Constant(sizes)
    boxes = layers.Conv2D(16, 3, 2, "same", bias_initializer=bias, name="boxes")(x)
    logits = layers.Conv2D(4 * classes, 3, 2, "same", kernel_initializer="he_normal", name="logits")(x)
    ends = [layers.Reshape((64, 4), name="all_boxes")(boxes), layers.Reshape((64, classes), name="all_logits")(logits)]
    return keras.Model(inputs, ends[::-1] if logits_first else ends, name="tiny")
