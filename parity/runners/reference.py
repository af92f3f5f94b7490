"""How to run the original, also where LiteRT cannot run all of it; and all its intermediate tensors."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cached_property, partial

import numpy as np

from converter.blueprints.build import blueprint
from converter.match.network import Network
from converter.ops.forms import Value
from converter.passes.activations import split_activations
from converter.rebuild.model import make_layer
from converter.tflite.model import Model
from converter.tflite.variants import TRANSPOSE_BIAS, builtin_only, without_custom_ops
from parity.runners.distances import distance
from parity.runners.runtimes import Array, Kernels, LiteRT, keras_runner

# One is a matter of chance: see `TracedReference.sensitivity`, where six differ by a factor of nine.
NUDGES = 2
# Value of the network → what it holds after one run.
Trace = dict[Value, Array]


def nudged(inputs: Sequence[Array], seed: int = 0) -> list[Array]:
    """Every number moved to a neighbour of float32, up or down at random: as if it had been rounded otherwise.

    A zero stays as good as zero: of an input that is nothing else this shows nothing.
    """
    rng = np.random.default_rng(seed)
    ends = (np.float32(-np.inf), np.float32(np.inf))
    return [np.nextafter(array, np.where(rng.random(array.shape) < 0.5, *ends)) for array in inputs]


class Reference:
    """The original, three times: with LiteRT's plain kernels, with XNNPACK, and with its input rounded otherwise.

    Attributes:
        plain: Runs it with the plain kernels: what a candidate is measured against.
        xnnpack: Runs it with XNNPACK: how far the two are apart is the model's own kernel spread.
        notes: What was done to the model so that LiteRT runs it; empty if nothing.
        unchecked: Custom ops that our own layers computed, as name → count: nothing here checks those.
    """

    def __init__(self, model: Model) -> None:
        custom = Counter(op.kind for op in model.graph.ops if op.is_custom)
        self.notes: list[str] = []
        self.unchecked = {kind: count for kind, count in custom.items() if kind != TRANSPOSE_BIAS}
        data = bytes(model.data)  # once: it may be large
        builtin = builtin_only(model.data) if TRANSPOSE_BIAS in custom else data
        if TRANSPOSE_BIAS in custom:
            self.notes.append(
                f"{TRANSPOSE_BIAS} ×{custom[TRANSPOSE_BIAS]}: LiteRT's plain kernels ran the same graph with "
                "TRANSPOSE_CONV in its place"
            )
        if not self.unchecked:
            self.plain, self.xnnpack = LiteRT(builtin, "plain").run, LiteRT(data, "xnnpack").run
            return
        names = ", ".join(f"{kind} ×{count}" for kind, count in self.unchecked.items())
        self.notes.append(f"not checked here: {names}: LiteRT has no kernel, so unlite's own layers computed them")
        self.notes.append("checked by LiteRT: every other operator, fed with those layers' results")
        hybrid = Hybrid(model, builtin, "plain")
        self.plain, self.xnnpack = hybrid.run, hybrid.with_kernels("xnnpack").run

    def nudged(self, inputs: Sequence[Array]) -> list[Array]:
        """Run it with the plain kernels on `nudged` inputs: how far that is from `plain` is what roundings grow to.

        Two kernel sets that sum in a similar order may meet by chance where others do not: on sixteen inputs of
        selfie_segmentation_landscape LiteRT's two are 2.2e-6 apart, and PyTorch is 1.2e-5 from the plain ones.
        """
        return self.plain(nudged(inputs))


class Hybrid:
    """LiteRT for everything but the custom ops, whose Keras layers are called in between.

    Args:
        model: The original, or another file that is compared with it.
        data: The same file, in which only custom ops without a kernel are left.
        kernels: LiteRT's.
        keep: See `LiteRT`.
    """

    def __init__(self, model: Model, data: bytes, kernels: Kernels, keep: Sequence[int] = ()) -> None:
        plan = blueprint(model.graph)
        self._graph, self._keep = plan.graph, keep
        self._file = without_custom_ops(memoryview(data))
        self._litert = LiteRT(self._file, kernels, keep)
        cut = [op for op in plan.graph.ops if op.is_custom and op.kind != TRANSPOSE_BIAS]
        # Without those that nothing depends on.
        self._custom = [(spec.op, keras_runner(make_layer(spec))) for spec in plan.specs if spec.op in cut]
        self._fed = sorted({index for op in cut for index in op.outputs})
        read = {index for op in cut for index in op.inputs if index is not None}
        known = {*plan.graph.inputs, *self._fed, *plan.graph.outputs}
        known |= {tensor.index for tensor in plan.graph.tensors if tensor.storage}
        self._watched = sorted(read - known)

    def with_kernels(self, kernels: Kernels) -> "Hybrid":
        """The same with other kernels."""
        made = copy(self)
        made._litert = LiteRT(self._file, kernels, self._keep)  # noqa: SLF001 - of the same class
        return made

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """As `LiteRT.run`; both sides take turns until the custom ops' results no longer change."""
        graph = self._graph
        values: dict[int, Array] = {index: np.zeros(graph.tensors[index].shape, np.float32) for index in self._fed}
        values |= dict(zip(graph.inputs, inputs, strict=True))
        outputs = self._invoke(values)
        for _ in self._custom:  # the longest chain: every op waits for the one before it
            before = [values[index] for index in self._fed]
            for op, run in self._custom:
                operands = [values[index] for index in op.inputs if index is not None and index in values]
                values |= dict(zip(op.outputs, run(operands), strict=True))
            outputs = self._invoke(values)
            if all(np.array_equal(values[index], old) for index, old in zip(self._fed, before, strict=True)):
                break
        return outputs

    def tensor(self, index: int) -> Array:
        """See `LiteRT.tensor`."""
        return self._litert.tensor(index)

    def view(self, index: int) -> Array:
        """See `LiteRT.view`."""
        return self._litert.view(index)

    def _invoke(self, values: dict[int, Array]) -> list[Array]:
        made = self._litert.run([values[index] for index in (*self._graph.inputs, *self._fed)])
        values |= dict(zip((*self._graph.outputs, *self._watched), made, strict=True))
        return made[: len(self._graph.outputs)]


class TracedReference:
    """A file with all its intermediate results, with plain kernels and with XNNPACK.

    LiteRT's own reference kernels would do for the second opinion as well, but take ten times as long, and add up
    in the same order as the plain ones: on some layers both agree to the last bit, which says nothing.

    Args:
        model: The original, or another file that is compared with it.
        network: The same as nodes: its values are what a trace has.
    """

    def __init__(self, model: Model, network: Network) -> None:
        custom = {op.kind for op in model.graph.ops if op.is_custom}
        data = builtin_only(model.data) if TRANSPOSE_BIAS in custom else bytes(model.data)
        is_fused = any(op.options.get("fused_activation_function", "NONE") != "NONE" for op in model.graph.ops)
        data, split = split_activations(data) if is_fused else (data, {})
        self._tensors = _tensors(network, split)
        keep = tuple(dict.fromkeys(self._tensors.values()))
        self._make: Callable[[Kernels], LiteRT | Hybrid] = partial(LiteRT, data, keep=keep)
        if custom - {TRANSPOSE_BIAS}:
            self._make = Hybrid(model, data, "plain", keep).with_kernels
        self._plain = self._make("plain")

    @cached_property
    def _xnnpack(self) -> LiteRT | Hybrid:
        return self._make("xnnpack")

    def trace(self, inputs: Sequence[Array]) -> Trace:
        """Run once with plain kernels; see `LiteRT.run`."""
        self._plain.run(inputs)
        return {value: self._plain.tensor(index) for value, index in self._tensors.items()}

    def spread(self, inputs: Sequence[Array], plain: Trace) -> dict[Value, float]:
        """Largest difference between the two kernel sets, per value; `plain` is what `trace` gave for the inputs."""
        self._xnnpack.run(inputs)
        return self._apart(self._xnnpack, plain)

    def sensitivity(self, inputs: Sequence[Array], plain: Trace) -> dict[Value, float]:
        """How far roundings of the input move each value: the largest of a few `nudged` runs.

        What roundings grow to in a network is another thing than how far two kernel sets happen to be apart. On
        pose_landmark_full there is a tensor that the two compute to within 2.8e-4 on one input, and that such nudges
        move by 0.8e-3 to 6.9e-3; TensorFlow is 4.3e-3 off there with oneDNN on AVX2, and 1.1e-3 without.
        """
        moved = []
        for seed in range(NUDGES):
            self._plain.run(nudged(inputs, seed))
            moved.append(self._apart(self._plain, plain))
        return largest(moved)

    def both(self, inputs: Sequence[Array]) -> tuple[Trace, dict[Value, float]]:
        """`trace` and `spread`, at the same time: LiteRT holds no lock of Python's while it computes."""
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(self._xnnpack.run, inputs)
            trace = self.trace(inputs)
            other.result()
        return trace, self._apart(self._xnnpack, trace)

    def _apart(self, runner: LiteRT | Hybrid, plain: Trace) -> dict[Value, float]:
        """Largest difference between a run that has just ended and a trace, for each value."""
        # Where one of them is not finite, there is no distance to tell: it counts as none, which is strict.
        with np.errstate(invalid="ignore", over="ignore"):
            found = {value: distance(runner.view(index), plain[value]) for value, index in self._tensors.items()}
        return {value: each if np.isfinite(each) else 0.0 for value, each in found.items()}


def largest(distances: Iterable[Mapping[Value, float]]) -> dict[Value, float]:
    """The largest of several runs, per value."""
    found: dict[Value, float] = {}
    for each in distances:
        for value, far in each.items():
            found[value] = max(found.get(value, 0.0), far)
    return found


def _tensors(network: Network, split: dict[int, int]) -> dict[Value, int]:
    """Where the network's values are in the unfused file."""
    tensors: dict[Value, int] = {}
    for node in network.nodes:
        tensors |= {value: value.tensor for value in (*node.inputs, *node.outputs) if value.tensor is not None}
        op = node.origin.op
        if op.index in split and node.kind == "activation" and node.outputs[0].tensor == op.outputs[0]:
            tensors[node.inputs[0]] = split[op.index]
    return tensors
