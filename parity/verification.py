"""Is the Keras model the same as the `.tflite` file? Outputs only, on seeded inputs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converter.errors import VerificationImpossible
from converter.graph import Graph, Model
from converter.reader import Source, read
from parity.compare import Comparison, Verdict, compare, extra
from parity.reference import Reference
from parity.runners import Array, Run, keras_runner

# The ranges that image models are fed with; each seed gives one input in each.
RANGES = ((0.0, 1.0), (-1.0, 1.0))
# Inputs that are run together in the end. Rounding differs in a batch, mixing it up differs by far more.
BATCH = 2
BATCH_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome.

    Attributes:
        comparisons: One per output, in the file's order.
        inputs: How many inputs were run.
        notes: What was not checked, or not by LiteRT on the file as it is.
    """

    comparisons: tuple[Comparison, ...]
    inputs: int
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every output agrees."""
        return bool(self.comparisons) and all(c.verdict is Verdict.OK for c in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        outputs = [comparison.as_dict() for comparison in self.comparisons]
        return {"ok": self.ok, "inputs": self.inputs, "outputs": outputs, "notes": list(self.notes)}


def seeded_inputs(graph: Graph, seeds: int) -> list[list[Array]]:
    """For every seed and range: one uniformly random array per input of the graph."""
    return [
        [rng.uniform(low, high, graph.tensors[index].shape).astype(np.float32) for index in graph.inputs]
        for seed in range(seeds)
        for number, (low, high) in enumerate(RANGES)
        for rng in [np.random.default_rng((seed, number))]
    ]


def verify(
    source: Source | Model, candidate: Any, seeds: int, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """See `parity.verify`."""
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}; nothing would be compared")
    model = source if isinstance(source, Model) else read(source)
    reference = Reference(model)
    run = keras_runner(candidate)
    inputs = seeded_inputs(model.graph, seeds)
    plain, xnnpack, made = [], [], []
    # One at a time, as LiteRT runs them: back ends choose other kernels, and round otherwise, for other batches.
    for done, values in enumerate(inputs, start=1):
        plain.append(reference.plain(values))
        xnnpack.append(reference.xnnpack(values))
        made.append(_run_candidate(run, values))
        if progress:
            progress(done, len(inputs))
    together = _run_candidate(run, [np.concatenate(values) for values in zip(*inputs[:BATCH], strict=True)])
    names = [model.graph.tensors[index].name for index in model.graph.outputs]
    comparisons = [
        compare(name, _joined(made, i) if i < len(made[0]) else None, _joined(plain, i), _joined(xnnpack, i))
        for i, name in enumerate(names)
    ]
    comparisons = [
        _in_a_batch(comparison, _joined(made[:BATCH], i), together[i])
        if comparison.verdict is Verdict.OK
        else comparison
        for i, comparison in enumerate(comparisons)
    ]
    comparisons += [extra(f"output {i}", _joined(made, i)) for i in range(len(names), len(made[0]))]
    return Verification(tuple(comparisons), len(inputs), tuple(reference.notes))


def _run_candidate(run: Run, values: list[Array]) -> list[Array]:
    try:
        return run(values)
    except (TypeError, ValueError) as error:
        shapes = ", ".join(str(value.shape) for value in values)
        raise VerificationImpossible(
            f"the candidate cannot be called with inputs of shape {shapes}: {error}"
        ) from error


def _in_a_batch(comparison: Comparison, alone: Array, together: Array) -> Comparison:
    limit = max(comparison.limit, BATCH_TOLERANCE * comparison.span)
    if alone.shape == together.shape and np.abs(alone - together).max(initial=0) <= limit:
        return comparison
    return replace(comparison, verdict=Verdict.MIXES_BATCH)


def _joined(runs: list[list[Array]], output: int) -> Array:
    return np.concatenate([run[output] for run in runs])
