"""Which range each activation has, seen while LiteRT runs a model on representative inputs.

The quantizer's own calibration is not used: it cannot run a file that has tensors which nothing reads any more, and its
running average depends on the order of the inputs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadInput, CannotExport
from converter.tflite.model import Graph
from converter.tflite.reader import read
from converter.tflite.variants import with_outputs

Inputs = Sequence[NDArray[np.float32]]  # one array per input of the file


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was seen.

    Attributes:
        ranges: Index of a tensor → its lowest and highest value over all inputs.
        samples: How many inputs there were.
    """

    ranges: Mapping[int, tuple[float, float]]
    samples: int


def calibrate(data: bytes, representative: Iterable[Inputs]) -> Calibration:
    """Run a float32 file on representative inputs.

    Args:
        data: The file.
        representative: Inputs as the model will see them.

    Raises:
        BadInput: There are none, the model cannot take them, or they make a tensor infinite or NaN.
        CannotExport: LiteRT cannot run the model.
    """
    graph = read(data).graph
    computed = sorted({index for op in graph.ops for index in op.outputs if graph.tensors[index].dtype == "FLOAT32"})
    runtime = _interpreter(with_outputs(data, computed)[0])
    seen = dict.fromkeys((*graph.inputs, *computed), (np.inf, -np.inf))
    samples = 0
    for samples, inputs in enumerate(representative, start=1):
        _feed(runtime, inputs, graph)
        runtime.invoke()
        for index, (low, high) in seen.items():
            values = runtime.get_tensor(index)
            seen[index] = float(np.minimum(low, values.min())), float(np.maximum(high, values.max()))
            if not np.isfinite(seen[index]).all():
                raise BadInput(f"representative input {samples} makes {graph.tensors[index]} infinite or NaN")
    if not samples:
        raise BadInput("there are no representative inputs, so nothing shows which range each activation has")
    return Calibration(seen, samples)


def _interpreter(data: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        runtime = Interpreter(model_content=data, num_threads=1)
        runtime.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotExport(
            f"LiteRT cannot run the model to see its activations: {reason}", hint="dtype='dynamic' needs no run"
        ) from None
    return runtime


def _feed(runtime: Any, inputs: Inputs, graph: Graph) -> None:
    expected = [graph.tensors[index] for index in graph.inputs]
    if [np.shape(array) for array in inputs] != [tensor.shape for tensor in expected]:
        shapes = ", ".join(str(np.shape(array)) for array in inputs)
        wanted = ", ".join(str(tensor.shape) for tensor in expected)
        raise BadInput(f"representative inputs of shape {shapes}; the model takes {wanted}")
    for tensor, array in zip(expected, inputs, strict=True):
        runtime.set_tensor(tensor.index, np.asarray(array, np.float32))
