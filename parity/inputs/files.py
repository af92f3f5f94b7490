"""Inputs of one's own, from a file."""

import zipfile
from pathlib import Path

import numpy as np

from converter.errors import BadInput
from converter.tflite.model import Graph
from parity.runners.types import Array


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
