"""Is it the same? Outputs only, on seeded inputs: a Keras model against its file, and ONNX Runtime against Keras."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np

from converter.errors import VerificationImpossible
from converter.tflite.model import Model
from parity.inputs import RANGES, seeded_inputs
from parity.outputs.compare import Comparison, Verdict, compare, extra
from parity.runners.reference import Reference
from parity.runners.runtimes import Array, OnnxRuntime, Run

Result = TypeVar("Result")
# Inputs that are run together in the end. Rounding differs in a batch, mixing it up differs by far more.
BATCH = 2
BATCH_TOLERANCE = 1e-3
# ONNX Runtime computes Sigmoid as a fraction plus one half, so that even results near zero are off by roundings of a
# half: by 1.51e-7 at most over four million arguments from -30 to 10 (onnxruntime 1.32).
SIGMOID_ERROR = 1.6e-7
# Between a sigmoid and the output that shows it.
MOVES = {"Concat", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome.

    Attributes:
        comparisons: One per output, in the file's order.
        inputs: How many inputs were run.
        notes: What was not checked, or not by LiteRT on the file as it is.
        runtime: What ran the file.
    """

    comparisons: tuple[Comparison, ...]
    inputs: int
    notes: tuple[str, ...]
    runtime: str = "LiteRT, plain kernels"

    @property
    def ok(self) -> bool:
        """Whether every output agrees."""
        return bool(self.comparisons) and all(c.verdict is Verdict.OK for c in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        outputs = [comparison.as_dict() for comparison in self.comparisons]
        rest = {"outputs": outputs, "notes": list(self.notes), "runtime": self.runtime}
        return {"ok": self.ok, "inputs": self.inputs} | rest


class Truth:
    """A file as `Reference` runs it: what any number of candidates are compared with. No input is run twice.

    It runs on a thread of its own: LiteRT holds no lock of Python's while it computes, so that a second core runs the
    original while the first one is busy with the candidate.

    Attributes:
        names: The outputs'.
    """

    def __init__(self, model: Model) -> None:
        reference = Reference(model)
        self.model, self.notes, self._nudged = model, tuple(reference.notes), reference.nudged
        self.names = [model.graph.tensors[index].name for index in model.graph.outputs]
        self._pool = ThreadPoolExecutor(1)  # one for both: an interpreter runs one input at a time
        self._kernels = [self._started(run) for run in (reference.plain, reference.xnnpack)]

    def _started(self, run: Run) -> Callable[[Sequence[Array]], Future[list[Array]]]:
        return remembering(lambda inputs: self._pool.submit(run, inputs))

    def begin(self, inputs: Sequence[Sequence[Array]]) -> None:
        """Begin to run it on these, with both kernel sets; does not wait."""
        for values in inputs:
            for start in self._kernels:
                start(values)

    def plain(self, inputs: Sequence[Array]) -> list[Array]:
        """See `Reference.plain`."""
        return self._kernels[0](inputs).result()

    def xnnpack(self, inputs: Sequence[Array]) -> list[Array]:
        """See `Reference.xnnpack`."""
        return self._kernels[1](inputs).result()

    def nudged(self, inputs: Sequence[Array]) -> list[Array]:
        """See `Reference.nudged`."""
        return self._pool.submit(self._nudged, inputs).result()


def remembering(run: Callable[[Sequence[Array]], Result]) -> Callable[[Sequence[Array]], Result]:
    """The same run; for inputs that it has seen it gives what it gave then."""
    seen: dict[bytes, Result] = {}

    def remembered(inputs: Sequence[Array]) -> Result:
        key = sha256(b"".join(array.tobytes() for array in inputs)).digest()
        if key not in seen:
            seen[key] = run(inputs)
        return seen[key]

    return remembered


def verify(truth: Truth, run: Run, seeds: int, progress: Callable[[int, int], None] | None = None) -> Verification:
    """See `parity.verify`; `run` runs the candidate."""
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}; nothing would be compared")
    inputs, known = seeded_inputs(truth.model.graph, seeds), (truth.plain, truth.xnnpack)
    truth.begin(inputs)
    comparisons = agreement(truth.names, inputs, run, known, otherwise=truth.nudged, progress=progress)
    return Verification(comparisons, len(inputs), truth.notes)


def agreement(  # noqa: PLR0913 - settings, by keyword
    names: Sequence[str],
    inputs: Sequence[list[Array]],
    run: Run,
    known: Sequence[Run],
    *,
    otherwise: Run | None = None,
    kernel_errors: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Comparison, ...]:
    """Run a candidate and what is known to be right on the same inputs, and compare every output.

    Args:
        names: The outputs'.
        inputs: Per run one array per input.
        run: The candidate.
        known: What is right. The first is what the candidate is measured against; how far the farthest of the others
            is from that one is the spread.
        otherwise: What is right, with its input rounded otherwise. It is run before an output is said to differ: the
            known ones may agree by chance on more than roundings allow.
        kernel_errors: Output → what the candidate's runtime is known to be off by there, whatever the model.
        progress: Called with (inputs done, inputs in all).
    """
    moved = cache(lambda: [otherwise(values) for values in inputs] if otherwise else [])
    made: list[list[Array]] = []
    right: list[list[list[Array]]] = [[] for _ in known]
    # One at a time, as LiteRT runs them: back ends choose other kernels, and round otherwise, for other batches.
    for done, values in enumerate(inputs, start=1):
        made.append(_run_candidate(run, values))
        for outputs, known_run in zip(right, known, strict=True):
            outputs.append(known_run(values))
        if progress:
            progress(done, len(inputs))
    together = _run_candidate(run, [np.concatenate(values) for values in zip(*inputs[:BATCH], strict=True)])
    comparisons = []
    for i, name in enumerate(names):
        truth, *others = (_joined(outputs, i) for outputs in right)
        own = _joined(made, i) if i < len(made[0]) else None
        kernel_error = (kernel_errors or {}).get(name, 0.0)
        comparison = compare(name, own, truth, _farthest(others, truth), kernel_error=kernel_error)
        if comparison.verdict is Verdict.DIFFERS and otherwise:
            others = [*others, _joined(moved(), i)]
            again = compare(name, own, truth, _farthest(others, truth), kernel_error=kernel_error)
            comparison = again if again.verdict is Verdict.OK else comparison
        if comparison.verdict is Verdict.OK:
            comparison = _in_a_batch(comparison, _joined(made[:BATCH], i), together[i])
        comparisons.append(comparison)
    comparisons += [extra(f"output {i}", _joined(made, i)) for i in range(len(names), len(made[0]))]
    return tuple(comparisons)


def _farthest(others: Sequence[Array], truth: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):  # `compare` says what is not finite
        distances = [np.abs(other - truth).max(initial=0) for other in others]
    return others[int(np.argmax(distances))]  # NaN is farthest


def _run_candidate(run: Run, values: list[Array]) -> list[Array]:
    try:
        return run(values)
    except (TypeError, ValueError) as error:
        shapes = ", ".join(str(value.shape) for value in values)
        reason = str(error).strip().partition("\n")[0]
        raise VerificationImpossible(
            f"the candidate cannot be called with inputs of shape {shapes}: {reason}"
        ) from error


def _in_a_batch(comparison: Comparison, alone: Array, together: Array) -> Comparison:
    limit = max(comparison.limit, BATCH_TOLERANCE * comparison.span)
    if alone.shape == together.shape and np.abs(alone - together).max(initial=0) <= limit:
        return comparison
    return replace(comparison, verdict=Verdict.MIXES_BATCH)


def _joined(runs: list[list[Array]], output: int) -> Array:
    return np.concatenate([run[output] for run in runs])


def verify_onnx(
    truth: Truth, run: Run, data: bytes, verified: Verification, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Run an ONNX model in ONNX Runtime and compare every output with the Keras model's.

    The model is known to be right by then, so there are three kernel sets that are: its own, and LiteRT's two. The
    spread is how far the farther one of those two is from the model. LiteRT's two alone may nearly agree by chance:
    on selfie_segmentation_landscape they are 2.2e-6 apart, and the plain ones 7.1e-6 from Keras.

    Args:
        truth: The file with the model's weights as float32.
        run: Runs the Keras model.
        data: The `.onnx` file.
        verified: What `verify` says of both; the same inputs are run here.
        progress: See `parity.verify`.

    Raises:
        ValueError: It says that they differ.
        MissingBackend: ONNX Runtime is not installed.
        BadCandidate: ONNX Runtime refuses the model.
    """
    if not verified.ok:
        raise ValueError("a model that is wrong shows nothing about what right ones differ by")
    candidate, known = OnnxRuntime(data).run, (run, truth.plain, truth.xnnpack)
    inputs = seeded_inputs(truth.model.graph, verified.inputs // len(RANGES))
    errors, nudged = kernel_errors(data, truth.names), truth.nudged
    comparisons = agreement(
        truth.names, inputs, candidate, known, otherwise=nudged, kernel_errors=errors, progress=progress
    )
    return Verification(comparisons, len(inputs), truth.notes, "ONNX Runtime")


def kernel_errors(data: bytes, names: Sequence[str]) -> dict[str, float]:
    """What ONNX Runtime is off by, whatever the model, for the outputs of an `.onnx` file where that counts."""
    import onnx

    graph = onnx.load_from_string(data).graph
    makers: dict[str, Any] = {value: node for node in graph.node for value in node.output}

    def is_sigmoid(value: str) -> bool:
        if value not in makers:
            return False
        kind, operands = makers[value].op_type, makers[value].input
        return kind == "Sigmoid" or (kind in MOVES and any(map(is_sigmoid, operands)))

    return {name: SIGMOID_ERROR for name, end in zip(names, graph.output, strict=False) if is_sigmoid(end.name)}
