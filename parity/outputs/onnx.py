"""The proof that ONNX Runtime computes what a Keras model computes."""

from collections.abc import Callable, Sequence
from typing import Any

from parity.inputs.seeded import RANGES, seeded_inputs
from parity.outputs.verification import Truth, Verification, agreement
from parity.runners.onnx import OnnxRuntime
from parity.runners.types import Run

# ONNX Runtime computes Sigmoid as a fraction plus one half, so that even results near zero are off by roundings of a
# half: by 1.51e-7 at most over four million arguments from -30 to 10 (onnxruntime 1.32).
SIGMOID_ERROR = 1.6e-7
# Between a sigmoid and the output that shows it.
MOVES = {"Concat", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}


def verify_onnx(
    truth: Truth,
    run: Run,
    data: bytes,
    verified: Verification,
    progress: Callable[[int, int], None] | None = None,
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
    candidate = OnnxRuntime(data)
    known = (run, truth.plain, truth.xnnpack)
    inputs = seeded_inputs(truth.model.graph, verified.inputs // len(RANGES))
    errors = kernel_errors(data, truth.names)
    comparisons = agreement(
        truth.names, inputs, candidate.run, known, otherwise=truth.nudged, kernel_errors=errors, progress=progress
    )
    return Verification(comparisons, len(inputs), truth.notes, "ONNX Runtime")


def kernel_errors(data: bytes, names: Sequence[str]) -> dict[str, float]:
    """What ONNX Runtime is off by, whatever the model, for the outputs where that counts.

    Args:
        data: The `.onnx` file.
        names: What to call its outputs.
    """
    import onnx

    graph = onnx.load_from_string(data).graph
    makers: dict[str, Any] = {value: node for node in graph.node for value in node.output}

    def is_sigmoid(value: str) -> bool:
        if value not in makers:
            return False
        kind, operands = makers[value].op_type, makers[value].input
        return kind == "Sigmoid" or (kind in MOVES and any(map(is_sigmoid, operands)))

    return {name: SIGMOID_ERROR for name, end in zip(names, graph.output, strict=False) if is_sigmoid(end.name)}
