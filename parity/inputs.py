"""What models are run on: random numbers, the same on every machine, or arrays from a file."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from converter.errors import BadInput
from converter.tflite.model import Graph
from parity.runners.runtimes import Array

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


def load_inputs(path: Path, graph: Graph) -> list[list[Array]]:
    """One run's inputs.

    Args:
        path: `.npy` with the only input; or `.npz` with one array per input, under its name or in its order.
        graph: What takes them. A missing batch axis is added.

    Raises:
        BadInput: The file is not what it should be; the message says what is expected.
    """
    expected = [graph.tensors[index] for index in graph.inputs]
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = [loaded]
        else:
            named = [tensor.name for tensor in expected if tensor.name in loaded.files]
            arrays = [loaded[name] for name in (named if len(named) == len(expected) else loaded.files)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"{path} holds no arrays: {error}", hint="expected .npy or .npz, as numpy.save writes it"
        ) from None
    made = []
    for array, tensor in zip(arrays, expected, strict=False):
        if array.dtype.kind not in "fiu":
            raise BadInput(f"{path}: {array.dtype} is no number; {tensor} takes float32 {tensor.shape}")
        values = array.astype(np.float32)
        made.append(values[None] if values.ndim == len(tensor.shape) - 1 else values)
    return [made + [np.asarray(array, np.float32) for array in arrays[len(made) :]]]


def check_inputs(inputs: Sequence[Sequence[Array]], graph: Graph) -> None:
    """Check that the original can be run on these.

    Raises:
        BadInput: Number, shape, type or values are wrong; the message says which.
    """
    expected = [graph.tensors[index] for index in graph.inputs]
    if not inputs:
        raise BadInput("there are no inputs to run the models on")
    for number, arrays in enumerate(inputs):
        if len(arrays) != len(expected):
            raise BadInput(f"input {number} has {len(arrays)} arrays, the model takes {len(expected)}")
        for array, tensor in zip(arrays, expected, strict=True):
            if array.shape != tensor.shape or array.dtype != np.float32:
                raise BadInput(f"input {number} is {array.dtype} {array.shape}; {tensor} takes float32 {tensor.shape}")
            if count := int((~np.isfinite(array)).sum()):
                raise BadInput(f"input {number} for {tensor} has {count} values that are not finite")
