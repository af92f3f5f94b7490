"""Whether the original can be run on given inputs."""

from collections.abc import Sequence

import numpy as np

from converter.errors import BadInput
from converter.tflite.model import Graph
from parity.runners.types import Array


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
            if not np.isfinite(array).all():
                raise BadInput(
                    f"input {number} for {tensor} has {int((~np.isfinite(array)).sum())} values that are not finite"
                )
