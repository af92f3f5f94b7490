"""An `.onnx` file as the candidate, run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.errors import BadCandidate
from converter.extras import importing
from converter.ops.forms import Slot, Value
from parity.candidates.candidate import check_fit
from parity.candidates.onnx_graph import FED, OnnxGraph
from parity.candidates.onnx_layers import network_of
from parity.runners.runtimes import Array, OnnxRuntime


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
        self._sessions: dict[tuple[str, ...], OnnxRuntime] = {}

    def weight(self, _slot: Slot) -> Array | None:
        """See `Candidate.weight`."""
        return None

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        graph = self._graph
        check_fit(inputs, self.network, "pictures have to be NHWC, as tf2onnx leaves the inputs")
        given = dict(zip(graph.inputs, inputs, strict=True))
        fed = [name for name, value in graph.values.items() if value in feeds and name not in graph.inputs]
        given |= {FED + name: graph.stored(name, feeds[graph.values[name]]) for name in fed}
        session = self._session(tuple(fed))
        made = session.named({name: array for name, array in given.items() if name in session.inputs})
        return {graph.values[name]: graph.seen(name, array) for name, array in made.items()}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Value, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        return [made.get(end.value) for end in self.network.outputs]

    def _session(self, fed: tuple[str, ...]) -> OnnxRuntime:
        if fed not in self._sessions:
            self._sessions[fed] = OnnxRuntime(self._graph.observed(fed), self.name, is_optimized=False)
        return self._sessions[fed]
