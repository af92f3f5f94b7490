"""An `.onnx` file as the candidate, run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converter.errors import BadCandidate
from converter.extras import importing
from converter.ops.node import Ref
from parity.candidates.onnx_graph import FED, OnnxGraph
from parity.candidates.onnx_layers import network_of
from parity.runners.types import Array


class OnnxCandidate:
    """An ONNX model with pictures in NHWC.

    Args:
        path: The file.

    Raises:
        BadCandidate: It is no ONNX model, or ONNX Runtime refuses it.
        MissingBackend: ONNX Runtime is not installed.
    """

    can_isolate = True
    has_named_outputs = False

    def __init__(self, path: Path) -> None:
        with importing("onnx", f"running {path}"):
            import onnx
            import onnxruntime  # noqa: F401 - says at once what is missing
        try:
            model = onnx.shape_inference.infer_shapes(onnx.load(path))
            onnx.checker.check_model(model)
        except Exception as error:
            raise BadCandidate(f"{path} is no valid ONNX model: {error}") from error
        self.name = path.stem
        self._graph = OnnxGraph(model)
        self.network = network_of(self._graph)
        self._sessions: dict[tuple[str, ...], Any] = {}

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """See `Candidate.run`."""
        graph, given = self._graph, {}
        if len(inputs) != len(graph.inputs):
            raise BadCandidate(f"the candidate takes {len(graph.inputs)} inputs, the original {len(inputs)}")
        for name, array in zip(graph.inputs, inputs, strict=True):
            if array.shape[1:] != tuple(self.network.shapes[name]):
                raise BadCandidate(
                    f"input {name!r} of the candidate has shape {self.network.shapes[name]}, the original's "
                    f"{array.shape[1:]}",
                    hint="pictures have to be NHWC, as tf2onnx leaves the inputs",
                )
            given[name] = array
        fed = [name for name, value in graph.values.items() if value in feeds and name not in graph.inputs]
        given |= {FED + name: graph.stored(name, feeds[graph.values[name]]) for name in fed}
        session = self._session(tuple(fed))
        names = [output.name for output in session.get_outputs()]
        taken = {entry.name for entry in session.get_inputs()}
        try:
            made = session.run(names, {name: array for name, array in given.items() if name in taken})
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run {self.name}: {error}") from error
        return {graph.values[name]: graph.seen(name, array) for name, array in zip(names, made, strict=True)}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        return [made.get(value) for _, value in self.network.outputs]

    def value_of(self, layer: str) -> Ref:
        """See `Candidate.value_of`."""
        return next(node.outputs[0] for node in self.network.nodes if node.name == layer)

    def _session(self, fed: tuple[str, ...]) -> Any:
        if fed not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            # What the optimizer fuses has no result of its own.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.log_severity_level = 3
            options.intra_op_num_threads = 1
            try:
                data = self._graph.observed(fed)
                self._sessions[fed] = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            except Exception as error:
                raise BadCandidate(f"ONNX Runtime refuses {self.name}: {error}") from error
        return self._sessions[fed]
