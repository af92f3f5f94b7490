"""Random inputs, the same on every machine."""

import numpy as np

from converter.tflite.model import Graph
from parity.runners.types import Array

# The ranges that image models are fed with; each seed gives one input in each.
RANGES = ((0.0, 1.0), (-1.0, 1.0))


def seeded_inputs(graph: Graph, seeds: int) -> list[list[Array]]:
    """For every seed and range: one uniformly random array per input of the graph."""
    return [
        [rng.uniform(low, high, graph.tensors[index].shape).astype(np.float32) for index in graph.inputs]
        for seed in range(seeds)
        for number, (low, high) in enumerate(RANGES)
        for rng in [np.random.default_rng((seed, number))]
    ]
