"""Other changes to a converted model: more input channels, plain ReLUs, another input size."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import CannotChange
from converter.keras_network import Call, keras_network
from converter.rewire import Rewiring

# Layers that do the same on a picture of any size.
ANY_SIZE = frozenset(
    {"Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D"}
    | {"PReLU", "ReLU", "Relu", "LeakyReLU", "Activation", "BatchNormalization", "Identity", "Dropout"}
    | {"Add", "BroadcastAdd", "Multiply", "Concatenate", "ZeroPadding2D", "ZeroPadding", "Pad", "Cropping2D"}
    | {"DepthToSpace", "SpaceToDepth", "UpSampling2D", "GlobalAveragePooling2D"}
)
# Layers that hand channels on one by one.
PER_CHANNEL = frozenset({"ZeroPadding2D", "Identity", "MaxPooling2D", "AveragePooling2D", "ReLU", "Dropout"})


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
        if not is_wide or kind in PER_CHANNEL:
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
        if old.shape != rewiring.values[id(old)].shape:
            raise CannotChange(f"the new channels of {model.name} would reach an output: nothing convolves them")
    return rewiring.model()


@dataclass(frozen=True, slots=True)
class Swapped:
    """One activation that became a ReLU.

    Attributes:
        layer: Its name.
        channels: How many it has.
        exact: How many of them have alpha 0: there a ReLU is the same.
        loss: Largest difference that the exchange alone makes to the layer's result, as a share of its range.
    """

    layer: str
    channels: int
    exact: int
    loss: float


@dataclass(frozen=True)
class Swap:
    """What `swap_activation` made.

    Attributes:
        model: The new model.
        layers: What was exchanged.
        losses: Output → largest difference from the old model's, as a share of its range.
    """

    model: Any
    layers: tuple[Swapped, ...]
    losses: Mapping[str, float]


def swap_activation(model: Any, inputs: NDArray[np.float32] | None = None) -> Swap:
    """Exchange every PReLU for a ReLU, which microcontrollers have a kernel for.

    Args:
        model: A `keras.Model` with one input. It is not changed.
        inputs: [N, …] to measure the loss on; default: four of random numbers from -1 to 1.

    Returns:
        The new model, and what it costs. The exchange is exact only where alpha is 0; training heals the rest.

    Raises:
        CannotChange: There is no PReLU.
    """
    import keras

    traced = keras_network(model)
    taken = _only(traced.arguments, model)
    calls = [call for call in traced.calls if type(call.layer).__name__ == "PReLU"]
    if not calls:
        raise CannotChange(f"{model.name} has no PReLU")
    rewiring, watched = Rewiring(traced), Rewiring(traced)
    rewiring.run(lambda call, x: keras.layers.ReLU(name=rewiring.free(_relu(call)))(x[0]) if call in calls else None)
    watched.run(lambda *_: None)
    if inputs is None:
        inputs = np.random.default_rng(0).uniform(-1, 1, (4, *taken.shape[1:])).astype(np.float32)
    new, ends = rewiring.model(), keras.tree.flatten(traced.returned)
    looked_at = [watched.values[id(x)] for x in (*ends, *(call.inputs[0] for call in calls))]
    results = _run(keras.Model(watched.inputs[0], looked_at), inputs)
    outputs, operands = results[: len(ends)], results[len(ends) :]
    names = [name for name, _ in traced.network.outputs]
    losses = {n: _share(a - b, a) for n, a, b in zip(names, outputs, _run(new, inputs), strict=True)}
    return Swap(new, tuple(_swapped(call, x) for call, x in zip(calls, operands, strict=True)), losses)


def _run(model: Any, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    import keras

    return [np.asarray(keras.ops.convert_to_numpy(x)) for x in keras.tree.flatten(model(inputs, training=False))]


def _relu(call: Call) -> str:
    return str(call.name.replace("/", "_").replace("p_re_lu", "re_lu"))


def _swapped(call: Call, x: NDArray[np.float32]) -> Swapped:
    (alpha,) = call.layer.get_weights()
    loss = _share(alpha * np.minimum(x, 0), np.where(x > 0, x, alpha * x))
    return Swapped(call.name, alpha.size, int((alpha == 0).sum()), loss)


def _share(lost: NDArray[np.float32], result: NDArray[np.float32]) -> float:
    """The largest loss as a share of a result's range."""
    return float(np.abs(lost).max() / (np.ptp(result) or 1)) if lost.any() else 0.0


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
        if kind in ANY_SIZE:
            _check_window(call, old, new)
            return None
        if kind == "Reshape":
            return rewiring.again(call, rewiring.layer(call, target_shape=_reshaped(call, old, new)))
        if kind == "ResizeBilinear":
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


def _only(arguments: Any, model: Any) -> Any:
    import keras

    taken = keras.tree.flatten(arguments)
    if len(taken) != 1:
        raise CannotChange(f"{model.name} takes {len(taken)} inputs, expected one")
    return taken[0]


def _picture(arguments: Any, model: Any) -> Any:
    taken = _only(arguments, model)
    if len(taken.shape) != 4:
        raise CannotChange(f"{model.name} takes {tuple(taken.shape)}; expected a picture [N, H, W, C]")
    return taken
