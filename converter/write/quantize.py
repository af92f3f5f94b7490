"""Weights, or weights and activations, as int8: LiteRT's own quantizer, with a file's names and ends kept.

The quantizer tells tensors apart by name, and operators by the newer of the two fields that files have for them. Names
are neither unique nor always there, and old files lack the newer field; so both are put in order for it.
Its own calibration is not used: it cannot run a file that has tensors which nothing reads any more, and its running
average depends on the order of the inputs.
"""

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.detectors.labels import own_labels
from converter.errors import BadInput, CannotExport
from converter.extras import importing
from converter.passes.activations import fuse_activations
from converter.tflite.edit import Editable
from converter.tflite.model import Graph, Op
from converter.tflite.reader import read
from converter.tflite.variants import with_outputs
from converter.write.labels import with_labels

Inputs = Sequence[NDArray[np.float32]]  # one array per input of the file
QuantizedType = Literal["int8", "dynamic"]
BITS = 8
EVERY = ".*"  # the quantizer's pattern for names


@dataclass(frozen=True, slots=True)
class Quantized:
    """What came of it.

    Attributes:
        data: The new file.
        left_float: What LiteRT's quantizer has no int8 for, as operator → count: with `int8` these compute in float32,
            with `dynamic` their weights stay float32.
        samples: How many inputs the ranges of the activations come from.
    """

    data: bytes
    left_float: Mapping[str, int]
    samples: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which range each activation has, seen while LiteRT runs a model on representative inputs.

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


def quantize(data: bytes, dtype: QuantizedType, representative: Iterable[Inputs] | None = None) -> Quantized:
    """Store a float32 file's weights as int8, with one scale per output channel.

    Inputs and outputs stay float32, in their order and under their names, so that the file can take the old one's
    place; with `int8` the first and last operators convert. Metadata and signatures stay as well.

    Args:
        data: The file, with dense float32 weights.
        dtype: `dynamic`: activations stay float32; kernels round them while they run, by each call's own range.
            `int8`: activations are int8 as well, in the ranges that `representative` shows.
        representative: Inputs as the model will see them, one array per input of the file; `int8` needs them.

    Raises:
        BadInput: No representative inputs, or the model cannot take them.
        CannotExport: LiteRT's quantizer, or LiteRT itself, cannot do it.
        MissingBackend: The quantizer is not installed.
    """
    recipe = _Recipe()
    file = Editable(memoryview(data))
    for code in file.model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    calibration = _calibration(file, representative) if dtype == "int8" else None
    frame = _Frame(file)
    made = with_labels(frame.restored(recipe.applied(file.pack(), calibration)), own_labels(read(data)))
    left = Counter(op.kind for op in _left_float(read(made).graph, dtype))
    return Quantized(made, dict(left.most_common()), calibration.samples if calibration else 0)


def _calibration(file: Editable, representative: Iterable[Inputs] | None) -> Calibration:
    if representative is None:
        raise BadInput(
            "int8 needs representative inputs: they show which range each activation has",
            hint="representative=[[array], …], one array per input; or dtype='dynamic', which needs none",
        )
    # XNNPACK has no int8 kernel for a ReLU alone: with those that it has, the face detector takes five times as long.
    fuse_activations(file)
    return calibrate(file.pack(), representative)


class _Frame:
    """What a file's tensors are called, put aside: for the quantizer, each one's name is its index."""

    def __init__(self, file: Editable) -> None:
        self._names = [tensor.name or b"" for tensor in file.graph.tensors]
        self._signatures = file.model.signatureDefs
        self._outputs = [int(index) for index in file.graph.outputs]
        file.model.signatureDefs = []  # None is more than the quantizer can take
        for index, tensor in enumerate(file.graph.tensors):
            tensor.name = str(index).encode()

    def restored(self, quantized: bytes) -> bytes:
        """The quantizer's file with the old names; what is an output now has the name of the old one."""
        file = Editable(memoryview(quantized))
        for tensor in file.graph.tensors:
            number, _, suffix = tensor.name.partition(b"_")
            tensor.name = self._names[int(number)] + (b"_" + suffix if suffix else b"")
        moved = dict(zip(self._outputs, map(int, file.graph.outputs), strict=True))
        for before, after in moved.items():
            if before != after:
                file.graph.tensors[before].name += b"_quantized"
            file.graph.tensors[after].name = self._names[before]
        for signature in self._signatures or []:
            for entry in signature.outputs or []:
                entry.tensorIndex = moved.get(entry.tensorIndex, entry.tensorIndex)
        file.model.signatureDefs = self._signatures
        return file.pack()


class _Recipe:
    """LiteRT's quantizer and what it shall do.

    Raises:
        MissingBackend: It is not installed.
    """

    def __init__(self) -> None:
        with importing("quantize", "writing int8"):
            from litert_quantizer import algorithm_manager, qtyping, quantizer
        self._library, self._names = quantizer, qtyping.TFLOperationName
        self._none = algorithm_manager.AlgorithmName.NO_QUANTIZE

    def applied(self, data: bytes, calibration: Calibration | None) -> bytes:
        """The file as the quantizer makes it: with a calibration, of int8 activations as well."""
        ranges = None
        if calibration:
            ranges = {
                str(index): {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
                for index, (low, high) in calibration.ranges.items()
            }
        with _held_tongue():
            try:
                library = self._library.Quantizer(bytearray(data))
                if calibration:
                    self._static(library)
                else:
                    self._dynamic(library)
                return bytes(library.quantize(ranges).quantized_model)
            except Exception as error:  # the library raises what it happens to stumble over
                raise CannotExport(
                    f"LiteRT's quantizer gives up (it names tensors by number): {type(error).__name__}: {error}",
                    hint="dtype='float16' does without it",
                ) from error

    def _static(self, library: Any) -> None:
        library.add_static_config(EVERY, self._names.ALL_SUPPORTED, BITS, BITS)
        for end in (self._names.INPUT, self._names.OUTPUT):
            library.update_quantization_recipe(EVERY, end, algorithm_key=self._none)

    def _dynamic(self, library: Any) -> None:
        library.add_dynamic_config(EVERY, self._names.ALL_SUPPORTED, BITS)
        # XNNPACK has no such kernel for depthwise convolutions: with it the detectors take twice as long. So these
        # weights become float32 when the file is loaded.
        library.add_weight_only_config(EVERY, self._names.DEPTHWISE_CONV_2D, BITS)


@contextmanager
def _held_tongue() -> Iterator[None]:
    """The quantizer draws progress bars and prints a report; its versions differ in how to turn that off."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _left_float(graph: Graph, kind: QuantizedType) -> Iterable[Op]:
    """See `Quantized.left_float`."""
    int8 = {index for op in graph.ops if op.kind == "DEQUANTIZE" for index in op.outputs}
    int8 |= {tensor.index for tensor in graph.tensors if tensor.dtype == "INT8"}
    for op in graph.ops:
        operands = [graph.tensors[index] for index in op.inputs if index is not None]
        has_float_weights = any(tensor.storage and tensor.dtype == "FLOAT32" for tensor in operands)
        gives_float = any(graph.tensors[index].dtype == "FLOAT32" for index in op.outputs)
        if (kind == "dynamic" and has_float_weights and int8.isdisjoint(op.inputs)) or (
            kind == "int8" and gives_float and op.kind != "DEQUANTIZE"
        ):
            yield op
