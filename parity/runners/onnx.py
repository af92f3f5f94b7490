"""ONNX models in ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

from converter.errors import BadCandidate
from converter.extras import importing
from parity.runners.types import Array


class OnnxRuntime:
    """An ONNX model in ONNX Runtime, one thread.

    Args:
        data: The file.
        name: What to call it in messages.
        is_optimized: Whether to run it as it comes; what the optimizer fuses has no result of its own.

    Attributes:
        inputs: Names of the inputs, in order.

    Raises:
        MissingBackend: ONNX Runtime is not installed.
        BadCandidate: It refuses the model.
    """

    def __init__(self, data: bytes, name: str = "the model", *, is_optimized: bool = True) -> None:
        with importing("onnx", "running ONNX"):
            import onnxruntime
        options, levels = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if is_optimized else levels.ORT_DISABLE_ALL
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._name = name
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime refuses {name}: {error}") from error
        self.inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call: one array per input of the file, in its order → one array per output, in its order."""
        return list(self.named(dict(zip(self.inputs, inputs, strict=True))).values())

    def named(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As `run`, by name."""
        names = [entry.name for entry in self._session.get_outputs()]
        try:
            return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run {self._name}: {error}") from error
