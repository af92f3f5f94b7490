"""Plain ReLUs in place of PReLUs, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import CannotChange
from converter.match.trace import Call, keras_network
from converter.surgery.rewire import Rewiring, only_input


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
    taken = only_input(traced.arguments, model)
    calls = [call for call in traced.calls if type(call.layer).__name__ == "PReLU"]
    if not calls:
        raise CannotChange(f"{model.name} has no PReLU")
    rewiring, watched = Rewiring(traced), Rewiring(traced)
    rewiring.run(lambda call, x: keras.layers.ReLU(name=rewiring.free(_relu(call)))(x[0]) if call in calls else None)
    watched.run(lambda *_: None)
    if inputs is None:
        inputs = np.random.default_rng(0).uniform(-1, 1, (4, *taken.shape[1:])).astype(np.float32)
    new, ends = rewiring.model(), keras.tree.flatten(traced.returned)
    looked_at = [watched.values[x] for x in (*ends, *(call.inputs[0] for call in calls))]
    results = _run(keras.Model(watched.inputs[0], looked_at), inputs)
    outputs, operands = results[: len(ends)], results[len(ends) :]
    names = [end.name for end in traced.network.outputs]
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
