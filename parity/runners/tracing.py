"""Every intermediate tensor of the original, and how far LiteRT's own two kernel sets are apart on each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from converter.match.network import Network
from converter.ops.forms import Value
from converter.passes.activations import unfused
from converter.tflite.model import Model
from converter.tflite.variants import TRANSPOSE_BIAS, builtin_only
from parity.runners.litert import LiteRT
from parity.runners.reference import Hybrid, nudged
from parity.runners.types import Array

if TYPE_CHECKING:
    from converter.blueprints.specs import LayerSpec

# One is a matter of chance: see `TracedReference.sensitivity`, where six differ by a factor of nine.
NUDGES = 2
# Value of the network → what it holds after one run.
Trace = dict[Value, Array]


class TracedReference:
    """The original with all its intermediate results, with plain kernels and with XNNPACK.

    LiteRT's own reference kernels would do for the second opinion as well, but take ten times as long, and add up
    in the same order as the plain ones: on some layers both agree to the last bit, which says nothing.

    Args:
        model: The original.
        network: The same as nodes: its values are what a trace has.
    """

    def __init__(self, model: Model, network: Network) -> None:
        custom = {op.kind for op in model.graph.ops if op.is_custom}
        data = builtin_only(model.data) if TRANSPOSE_BIAS in custom else bytes(model.data)
        is_fused = any(op.options.get("fused_activation_function", "NONE") != "NONE" for op in model.graph.ops)
        data, split = unfused(data) if is_fused else (data, {})
        self._tensors = _tensors(network, split)
        keep = tuple(dict.fromkeys(self._tensors.values()))
        self._plain: LiteRT | Hybrid
        self._xnnpack: LiteRT | Hybrid
        if custom - {TRANSPOSE_BIAS}:
            self._plain = Hybrid(model, data, "plain", keep)
            self._xnnpack = self._plain.with_kernels("xnnpack")
        else:
            self._plain, self._xnnpack = LiteRT(data, "plain", keep), LiteRT(data, "xnnpack", keep)

    def trace(self, inputs: Sequence[Array]) -> Trace:
        """Run once with plain kernels.

        Args:
            inputs: One array per input of the file, in its order and shapes.
        """
        self._plain.run(inputs)
        return {value: self._plain.tensor(index) for value, index in self._tensors.items()}

    def spread(self, inputs: Sequence[Array], plain: Trace) -> dict[Value, float]:
        """Largest difference between the two kernel sets, per value.

        Args:
            inputs: As given to `trace`.
            plain: What `trace` gave for them.
        """
        return self._distances(self._xnnpack, inputs, plain)

    def sensitivity(self, inputs: Sequence[Array], plain: Trace) -> dict[Value, float]:
        """How far roundings of the input move each value: the largest of a few `nudged` runs.

        What roundings grow to in a network is another thing than how far two kernel sets happen to be apart. On
        pose_landmark_full there is a tensor that the two compute to within 2.8e-4 on one input, and that such nudges
        move by 0.8e-3 to 6.9e-3; TensorFlow is 4.3e-3 off there with oneDNN on AVX2, and 1.1e-3 without.

        Args:
            inputs: As given to `trace`.
            plain: What `trace` gave for them.
        """
        moved: dict[Value, float] = {}
        for seed in range(NUDGES):
            for value, distance in self._distances(self._plain, nudged(inputs, seed), plain).items():
                moved[value] = max(moved.get(value, 0.0), distance)
        return moved

    def _distances(self, runner: LiteRT | Hybrid, inputs: Sequence[Array], plain: Trace) -> dict[Value, float]:
        """Run, and take the largest difference from a trace for each value."""
        runner.run(inputs)
        distances = {}
        for value, index in self._tensors.items():
            # Where one of them is not finite, there is no distance to tell: it counts as none, which is strict.
            with np.errstate(invalid="ignore", over="ignore"):
                distance = float(np.abs(runner.tensor(index) - plain[value]).max(initial=0))
            distances[value] = distance if np.isfinite(distance) else 0.0
        return distances


def _tensors(network: Network, split: dict[int, int]) -> dict[Value, int]:
    """Where the network's values are in the unfused file."""
    tensors: dict[Value, int] = {}
    for node in network.nodes:
        tensors |= {value: value.tensor for value in (*node.inputs, *node.outputs) if value.tensor is not None}
        spec: LayerSpec = node.origin
        op = spec.op
        if op.index in split and node.kind == "activation" and node.outputs[0].tensor == op.outputs[0]:
            tensors[node.inputs[0]] = split[op.index]
    return tensors
