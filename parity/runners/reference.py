"""How to run the original, where LiteRT cannot run all of it."""

from collections import Counter
from collections.abc import Sequence
from copy import copy

import numpy as np

from converter.blueprints.build import blueprint
from converter.rebuild.model import make_layer
from converter.tflite.model import Model
from converter.tflite.variants import TRANSPOSE_BIAS, builtin_only, without_custom_ops
from parity.runners.keras import keras_runner
from parity.runners.litert import Kernels, LiteRT
from parity.runners.types import Array, Run


def nudged(inputs: Sequence[Array], seed: int = 0) -> list[Array]:
    """Every number moved to a neighbour of float32, up or down at random: as if it had been rounded otherwise.

    A zero stays as good as zero: of an input that is nothing else this shows nothing.

    Args:
        inputs: One float32 array per input.
        seed: Which way each goes.
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
        self.plain: Run
        self.xnnpack: Run
        builtin = builtin_only(model.data) if TRANSPOSE_BIAS in custom else bytes(model.data)
        if TRANSPOSE_BIAS in custom:
            self.notes.append(
                f"{TRANSPOSE_BIAS} ×{custom[TRANSPOSE_BIAS]}: LiteRT's plain kernels ran the same graph with "
                "TRANSPOSE_CONV in its place"
            )
        if not self.unchecked:
            self.plain = LiteRT(builtin, "plain").run
            self.xnnpack = LiteRT(model.data, "xnnpack").run
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
        model: The original.
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

    def _invoke(self, values: dict[int, Array]) -> list[Array]:
        made = self._litert.run([values[index] for index in (*self._graph.inputs, *self._fed)])
        values |= dict(zip((*self._graph.outputs, *self._watched), made, strict=True))
        return made[: len(self._graph.outputs)]
