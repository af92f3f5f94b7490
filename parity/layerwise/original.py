"""The original's side of a comparison: run with all its intermediate results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint
from converter.match.canonical import network_of_blueprint
from converter.match.network import Network
from converter.ops.node import Ref
from converter.tflite.model import Model
from parity.inputs.check import check_inputs
from parity.inputs.seeded import seeded_inputs
from parity.runners.tracing import Trace, TracedReference
from parity.runners.types import Array

# Called with what is being done.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Original:
    """The original's side of a comparison, already run.

    Attributes:
        network: What it computes.
        traces: One per input.
        spreads: Per value, how far LiteRT's kernel sets are apart.
        sensitivities: Per value, how far roundings of the input move it.
    """

    blueprint: Blueprint
    network: Network
    inputs: Sequence[Sequence[Array]]
    traces: Sequence[Trace]
    spreads: Mapping[Ref, float]
    sensitivities: Mapping[Ref, float]

    def tensor_name(self, value: Ref) -> str:
        """The file's name for a value."""
        if isinstance(value, int):
            return self.blueprint.graph.tensors[value].name
        activation = next(node for node in self.network.nodes if value in node.inputs)
        return f"{self.tensor_name(activation.outputs[0])} before its activation"


def run_original(
    model: Model, inputs: Sequence[Sequence[Array]] | None = None, *, seeds: int = 1, progress: Progress | None = None
) -> Original:
    """Run the original with all its intermediate results, and measure its kernel spread and sensitivity.

    Args:
        model: The original.
        inputs: What to run it on; default: seeded random inputs.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        progress: Called with what is being done.

    Raises:
        BadInput: The inputs do not fit, or are not finite.
        VerificationImpossible: LiteRT cannot run the original.
    """
    plan = blueprint(model.graph, model.name)
    network = network_of_blueprint(plan)
    inputs = seeded_inputs(model.graph, seeds) if inputs is None else inputs
    check_inputs(inputs, model.graph)
    reference = TracedReference(model, network)
    traces: list[Trace] = []
    spreads: dict[Ref, float] = {}
    sensitivities: dict[Ref, float] = {}
    for number, arrays in enumerate(inputs, start=1):
        if progress:
            progress(f"running the original, input {number}/{len(inputs)}")
        traces.append(reference.trace(arrays))
        for largest, measure in ((spreads, reference.spread), (sensitivities, reference.sensitivity)):
            for value, distance in measure(arrays, traces[-1]).items():
                largest[value] = max(largest.get(value, 0.0), distance)
    return Original(plan, network, inputs, traces, spreads, sensitivities)
