"""ONNX models in ONNX Runtime."""

from collections.abc import Sequence
from typing import Any

from converter.errors import BadCandidate
from converter.extras import importing
from parity.runners.types import Array


class OnnxRuntime:
    """An ONNX model in ONNX Runtime as it comes, one thread.

    Args:
        data: The file.

    Raises:
        MissingBackend: ONNX Runtime is not installed.
        BadCandidate: It refuses the model.
    """

    def __init__(self, data: bytes) -> None:
        with importing("onnx", "running ONNX"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime refuses the model: {error}") from error
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call: one array per input of the file, in its order → one array per output, in its order."""
        try:
            made: list[Array] = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run the model: {error}") from error
        return made
