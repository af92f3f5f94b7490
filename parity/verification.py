"""Is the Keras model the same as the `.tflite` file? Outputs only, on seeded inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.blueprint import blueprint
from converter.graph import Graph, Model
from parity.compare import Comparison, Verdict, compare
from parity.reference import Reference
from parity.runners import Array, keras_runner

# The ranges that image models are fed with; each seed gives one input in each.
RANGES = ((0.0, 1.0), (-1.0, 1.0))


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
        for low, high in RANGES
        for rng in [np.random.default_rng(seed)]
    ]


def verify(
    model: Model, candidate: Any, seeds: int, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """See `parity.verify`."""
    reference = Reference(model)
    run = keras_runner(candidate)
    inputs = seeded_inputs(model.graph, seeds)
    plain, xnnpack, made = [], [], []
    # One at a time, as LiteRT runs them: back ends choose other kernels, and round otherwise, for other batches.
    for done, values in enumerate(inputs, start=1):
        plain.append(reference.plain(values))
        xnnpack.append(reference.xnnpack(values))
        made.append(run(values))
        if progress:
            progress(done, len(inputs))
    comparisons = [
        compare(name, _joined(made, i) if i < len(made[0]) else None, _joined(plain, i), _joined(xnnpack, i))
        for i, name in enumerate(blueprint(model.graph).outputs)
    ]
    return Verification(tuple(comparisons), len(inputs), tuple(reference.notes))


def _joined(runs: list[list[Array]], output: int) -> Array:
    return np.concatenate([run[output] for run in runs])
