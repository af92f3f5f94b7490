"""More input channels, or another input size."""

from math import prod
from operator import index
from typing import Any

import numpy as np

from converter.errors import CannotChange
from converter.match.trace import Call, keras_network
from converter.ops import records
from converter.surgery.rewire import Rewiring, only_input


def widen_input(model: Any, channels: int) -> Any:
    """Give the input more channels, for depth or infrared: the first ones stay what they were.

    The new slices of the first kernels are zero and all other weights bit-equal, so that the outputs do not change
    whatever the new channels hold, until training makes use of them; but for the last bits, where a kernel library sums
    wider kernels in another order.

    Args:
        model: A `keras.Model` with one input [N, H, W, C]. It is not changed.
        channels: More than C.

    Returns:
        A functional `keras.Model` that takes [N, H, W, channels].

    Raises:
        CannotChange: The input goes into something else than convolutions.
    """
    import keras

    traced = keras_network(model)
    taken = _picture(traced.arguments, model)
    height, width, before = taken.shape[1:]
    if index(channels) <= before:
        raise CannotChange(f"{model.name} has {before} input channels already", hint=f"{before + 1} or more")
    rewiring = Rewiring(traced, {taken.name: (height, width, channels)})

    def change(call: Call, operands: list[Any]) -> Any:
        kind = type(call.layer).__name__
        is_wide = any(old.shape[-1] != new.shape[-1] for old, new in zip(call.inputs, operands, strict=True))
        if not is_wide or records.layer(kind).per_channel:
            return None
        if kind != "Conv2D" or call.layer.groups != 1:
            raise CannotChange(f"{call.name} reads the input, and is no convolution that could take more channels")
        layer = rewiring.layer(call, trainable=True)
        made = rewiring.again(call, layer)
        kernel_hwio, *bias = call.layer.get_weights()
        room = np.zeros((*kernel_hwio.shape[:2], channels - before, kernel_hwio.shape[3]), np.float32)
        layer.set_weights([np.concatenate([kernel_hwio, room], axis=2), *bias])
        return made

    rewiring.run(change)
    for old in keras.tree.flatten(traced.returned):
        if old.shape != rewiring.values[old].shape:
            raise CannotChange(f"the new channels of {model.name} would reach an output: nothing convolves them")
    return rewiring.model()


def resize_input(model: Any, height: int, width: int) -> Any:
    """Give the model another input size, where its graph allows it.

    All weights stay. Sizes that layers state (reshapes, resizing) grow in proportion; a detector's anchors follow
    from the size: `dataclasses.replace(detector, height=height, width=width)`.

    Args:
        model: A `keras.Model` with one input [N, H, W, C]. It is not changed.
        height: In pixels.
        width: As `height`.

    Returns:
        A functional `keras.Model` that takes [N, height, width, C].

    Raises:
        CannotChange: A layer depends on the size: a dense layer on a flattened picture, a pool over all of it.
    """
    traced = keras_network(model)
    taken, height, width = _picture(traced.arguments, model), index(height), index(width)
    if min(height, width) < 1:
        raise CannotChange(f"{height}×{width} pixels make no picture")
    rewiring = Rewiring(traced, {taken.name: (height, width, taken.shape[3])})

    def change(call: Call, operands: list[Any]) -> Any:
        old, new = tuple(call.inputs[0].shape[1:]), tuple(operands[0].shape[1:])
        kind = type(call.layer).__name__
        if all(a.shape[1:] == b.shape[1:] for a, b in zip(call.inputs, operands, strict=True)):
            return None
        if records.layer(kind).any_size:
            _check_window(call, old, new)
            return None
        if kind == "Reshape":
            return rewiring.again(call, rewiring.layer(call, target_shape=_reshaped(call, old, new)))
        if records.layer(kind).states_size:
            size = [_scaled(call, *extents) for extents in zip(call.outputs[0].shape[1:3], old, new, strict=False)]
            return rewiring.again(call, rewiring.layer(call, height=size[0], width=size[1]))
        raise CannotChange(f"{call.name} ({kind}) is made for {old}, not for {new}")

    rewiring.run(change)
    return rewiring.model()


def _check_window(call: Call, old: tuple[int, ...], new: tuple[int, ...]) -> None:
    """A window over the whole picture makes one number of it, and would make several of a larger one."""
    window = getattr(call.layer, "pool_size", None) or getattr(call.layer, "kernel_size", None)
    is_whole = window == old[:2] != (1, 1) and getattr(call.layer, "padding", "valid") == "valid"
    # With its axes kept, a mean goes back into the picture (squeeze and excitation).
    if is_whole or (type(call.layer).__name__ == "GlobalAveragePooling2D" and not call.layer.keepdims):
        raise CannotChange(f"{call.name} covers all {old[0]}×{old[1]} cells, and would not cover {new[0]}×{new[1]}")


def _reshaped(call: Call, old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """The rows of a reshape to [rows, values] grow with the picture."""
    rows, *values = (int(extent) for extent in call.outputs[0].shape[1:])
    if len(values) != 1 or old[-1] != new[-1]:
        raise CannotChange(f"{call.name} reshapes {old} to {(rows, *values)}: which axis should grow?")
    return (_scaled(call, rows, prod(old), prod(new)), *values)


def _scaled(call: Call, extent: int, old: int, new: int) -> int:
    if extent * new % old:
        raise CannotChange(f"{call.name}: {extent} does not grow to a whole number when {old} becomes {new}")
    return extent * new // old


def _picture(arguments: Any, model: Any) -> Any:
    taken = only_input(arguments, model)
    if len(taken.shape) != 4:
        raise CannotChange(f"{model.name} takes {tuple(taken.shape)}; expected a picture [N, H, W, C]")
    return taken
