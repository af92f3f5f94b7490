"""A value and a weight."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import keras
from keras import KerasTensor

from converter.layers.base import ConfiguredLayer, Shape, register


class _WithValue(ConfiguredLayer):
    """Has one weight, `value`, which is broadcast against the input from the right.

    Args:
        shape: Shape of `value`, without the batch axis.
    """

    arguments = ("shape",)
    value_initializer: Any = "zeros"

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, _: Shape) -> None:
        """Create `value`, with no effect until it is set."""
        self.value = self.add_weight(name="value", shape=self.shape, initializer=self.value_initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Broadcasting from the right."""
        extents = zip_longest(reversed(input_shape), reversed(self.shape), fillvalue=1)
        return tuple(own if other == 1 else other for own, other in extents)[::-1]


@register
class BroadcastAdd(keras.layers.Layer):  # type: ignore[misc]
    """a + b, broadcast. Keras's `Add` takes some broadcast operands for a bias along another axis (TensorFlow)."""

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Two values of the same rank."""
        return inputs[0] + inputs[1]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """The larger extent of each axis; the batch is the operands' own."""
        first, second = input_shape
        return (first[0], *(max(pair) for pair in zip(first[1:], second[1:], strict=True)))


@register
class Scale(_WithValue):
    """x · value: what is left of a batch normalization, or a unit conversion."""

    value_initializer = "ones"

    def call(self, x: KerasTensor) -> KerasTensor:
        """Multiply."""
        return x * self.value


@register
class Offset(_WithValue):
    """x + value."""

    def call(self, x: KerasTensor) -> KerasTensor:
        """Add."""
        return x + self.value
