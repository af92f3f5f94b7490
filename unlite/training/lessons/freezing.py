"""Which layers train."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

from converter.match.trace import keras_network

# What these hold may be a number that the architecture fixes, such as a unit conversion.
CONSTANTS = ("Offset", "Scale")
# In training these would go over to what a batch of few pictures has, and every box with them.
STATISTICS = ("BatchNormalization",)


def everything(layer: Any) -> bool:
    """For `trained`: all weights, but for constants, and statistics of the data that a model was made with."""
    return settled(layer) and (type(layer).__name__ not in CONSTANTS or _is_learned(layer))


def settled(layer: Any) -> bool:
    """Whether a layer does the same in training as in use."""
    return type(layer).__name__ not in STATISTICS


def _is_learned(constant: Any) -> bool:
    """A vector along the channels is what batch normalization leaves behind; all else was written by hand."""
    shape = constant.weights[0].shape
    return bool(shape) and shape[-1] > 1 and prod(shape) == shape[-1]


@contextmanager
def trained(model: Any, is_trained: Callable[[Any], bool]) -> Iterator[None]:
    """Within it, these layers of a model are trainable, and no others; afterwards all are as they were.

    Args:
        model: A `keras.Model`.
        is_trained: Says so of each layer that is no model itself.
    """
    layers = {id(call.layer): call.layer for call in keras_network(model).calls if hasattr(call.layer, "trainable")}
    before = [(layer, layer.trainable) for layer in layers.values()]
    try:
        for layer, _ in before:
            layer.trainable = is_trained(layer)
        yield
    finally:
        for layer, is_trainable in before:
            layer.trainable = is_trainable
