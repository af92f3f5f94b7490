"""Which layers train."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from converter.match.trace import keras_network

# What these hold may be a number that the architecture fixes, such as a unit conversion; converting says whether.
CONSTANTS = ("Offset", "Scale")
# In training these would go over to what a batch of few pictures has, and every box with them.
STATISTICS = ("BatchNormalization",)


def everything(layer: Any) -> bool:
    """For `trained`: all weights, but for constants, and statistics of the data that a model was made with."""
    kind = type(layer).__name__
    return bool(layer.trainable) if kind in CONSTANTS else kind not in STATISTICS


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
