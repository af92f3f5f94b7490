"""A value and a weight; slicing, padding and averaging along any axis but the batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import KerasTensor, ops

from converter.layers.base import OperatorLayer, Shape, register


@register
class StridedSlice(OperatorLayer):
    """Every s-th element of each axis, from `begin` on, `size` of them.

    Args:
        begin: First index per axis, without the batch.
        size: Number of elements per axis.
        strides: Step per axis; may be negative.
    """

    def __init__(self, begin: Sequence[int], size: Sequence[int], strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begin, self.size, self.strides = tuple(begin), tuple(size), tuple(strides)

    def call(self, x: KerasTensor) -> KerasTensor:
        """`[N, …]` → `[N, *size]`."""
        for axis, (begin, size, stride) in enumerate(zip(self.begin, self.size, self.strides, strict=True), start=1):
            if (begin, size, stride) == (0, x.shape[axis], 1):
                continue
            if stride > 0:
                kept = slice(begin, begin + (size - 1) * stride + 1 if size else begin, stride)
                x = x[(slice(None),) * axis + (kept,)]
            else:  # PyTorch has no negative steps
                x = ops.take(x, np.arange(size, dtype="int32") * stride + begin, axis=axis)
        return x


@register
class ZeroPadding(OperatorLayer):
    """Zeros before and after, on any axis: channels too, which Keras's own layers leave alone.

    Args:
        padding: (before, after) per axis, without the batch.
    """

    def __init__(self, padding: Sequence[Sequence[int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = tuple((before, after) for before, after in padding)

    def call(self, x: KerasTensor) -> KerasTensor:
        """Pad with zeros."""
        return ops.pad(x, ((0, 0), *self.padding))


@register
class Mean(OperatorLayer):
    """Mean along axes for which Keras has no pooling layer.

    Args:
        axis: Axes, counted with the batch as 0.
        keepdims: Whether they stay, with extent 1.
    """

    def __init__(self, axis: Sequence[int], *, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.keepdims = tuple(axis), keepdims

    def call(self, x: KerasTensor) -> KerasTensor:
        """Average."""
        return ops.mean(x, axis=self.axis, keepdims=self.keepdims)


class _WithValue(OperatorLayer):
    """Has one weight, `value`, which is broadcast against the input from the right.

    Args:
        shape: Shape of `value`, without the batch axis.
    """

    value_initializer: Any = "zeros"

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, _: Shape) -> None:
        """Create `value`, with no effect until it is set."""
        self.value = self.add_weight(name="value", shape=self.shape, initializer=self.value_initializer)


@register
class BroadcastAdd(OperatorLayer):
    """a + b, broadcast. Keras's `Add` takes some broadcast operands for a bias along another axis (TensorFlow)."""

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Two values of the same rank."""
        return inputs[0] + inputs[1]


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
