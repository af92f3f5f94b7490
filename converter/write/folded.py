"""A node's weights as the back end has them, with its batch normalization folded in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.ops import records
from converter.ops.forms import Node
from converter.passes.fusions import unfuse


def values_of(node: Node) -> dict[str, NDArray[np.float32]]:
    """A node's weights in Keras's axis order and its own shapes, with its batch normalization folded in."""
    from keras import ops

    norms = [part.origin.layer for part in unfuse([node]) if part.kind == "batch_norm"]
    if node.kind == "batch_norm":  # behind nothing that could take it in
        return dict(zip(("scale", "shift"), _scale_and_shift(*norms), strict=True))
    values = {
        name: np.asarray(ops.convert_to_numpy(slot.holder), np.float32).reshape(slot.shape)
        for name, slot in node.weights.items()
        if not name.startswith("batch_norm/")
    }
    if not norms:
        return values
    scale, shift = _scale_and_shift(*norms)
    axes = records.kind(node.kind).scaled_axes
    extents = [values["kernel"].shape[axis] for axis in axes]
    shape = [1] * values["kernel"].ndim
    for axis, extent in zip(axes, extents, strict=True):
        shape[axis] = extent
    values["kernel"] = values["kernel"] * scale.reshape(shape)
    bias = values.get("bias", np.zeros_like(shift))
    values["bias"] = (bias * scale.reshape(bias.shape) + shift.reshape(bias.shape)).astype(np.float32)
    return values


def _scale_and_shift(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a batch normalization multiplies by and adds, as the back end computes it: exactly 1 stays exactly 1."""
    from keras import ops

    channels = layer.moving_mean.shape[0]
    one, zero = np.ones((1, channels), np.float32), np.zeros((1, channels), np.float32)
    weights = [None if w is None else ops.convert_to_tensor(w) for w in (layer.beta, layer.gamma)]

    def run(x: NDArray[np.float32], mean: Any, offset: Any) -> NDArray[np.float32]:
        made = ops.batch_normalization(
            x, mean, layer.moving_variance, axis=-1, offset=offset, scale=weights[1], epsilon=layer.epsilon
        )
        return np.asarray(ops.convert_to_numpy(made)[0], np.float32)

    return run(one, zero[0], None), run(zero, layer.moving_mean, weights[0])
