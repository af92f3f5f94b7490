"""What an operator means in Keras, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.ops.forms.layouts import Layout


@dataclass(frozen=True, slots=True)
class Weight:
    """Where a layer's weight comes from.

    Attributes:
        tensor: Index of the constant.
        layout: How its axes become Keras's.
        trainable: False only for numbers that the architecture fixes, such as a unit conversion.
    """

    tensor: int
    layout: Layout
    trainable: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One Keras layer of an operator's chain, before it has a name.

    Attributes:
        layer: Class name in `keras.layers` or `converter.layers`.
        config: Its constructor's arguments.
        weights: Attribute of the layer → where the value comes from.
        inputs: Operands by index; None is the step before. Empty: the step before, or all computed operands of the op.
        shape: Of its result, without the batch, where it has another than the operator's.
    """

    layer: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    inputs: tuple[int | None, ...] = ()
    shape: tuple[int, ...] | None = None
