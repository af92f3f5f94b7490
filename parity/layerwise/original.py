"""The original's side of a comparison: run with all its intermediate results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint
from converter.match.alignment.numbers import file_weight
from converter.match.canonical import network_of_blueprint
from converter.match.network import Network
from converter.match.transfer import Plan
from converter.ops.forms import Node, Slot, Value
from converter.tflite.model import Model
from parity.inputs import check_inputs, seeded_inputs
from parity.runners.reference import Trace, TracedReference, largest
from parity.runners.runtimes import Array

# Called with what is being done.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Original:
    """The original's side of a comparison, already run.

    Attributes:
        network: What it computes.
        traces: One per input.
        spreads: Per value, how far LiteRT's kernel sets are apart.
        reference: Runs it again.
    """

    blueprint: Blueprint
    network: Network
    inputs: Sequence[Sequence[Array]]
    traces: Sequence[Trace]
    spreads: Mapping[Value, float]
    reference: TracedReference = field(repr=False)

    @cached_property
    def sensitivities(self) -> Mapping[Value, float]:
        """Per value, how far roundings of the input move it: runs it twice more on each input, when first asked."""
        runs = zip(self.inputs, self.traces, strict=True)
        return largest(self.reference.sensitivity(inputs, trace) for inputs, trace in runs)

    def weight(self, slot: Slot) -> NDArray[Any]:
        """A weight in Keras's axis order."""
        return file_weight(self.blueprint, slot)

    def tensor_name(self, value: Value) -> str:
        """The file's name for a value."""
        if value.tensor is not None:
            return self.blueprint.graph.tensors[value.tensor].name
        return f"{self.tensor_name(self._activations[value].outputs[0])} before its activation"

    @cached_property
    def _activations(self) -> Mapping[Value, Node]:
        """Value that no tensor of the file holds → what reads it."""
        return {value: node for node in self.network.nodes for value in node.inputs if value.tensor is None}


def run_original(
    model: Model,
    inputs: Sequence[Sequence[Array]] | None = None,
    *,
    seeds: int = 1,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> Original:
    """Run the original with all its intermediate results, and measure its kernel spread.

    Args:
        model: The original.
        inputs: What to run it on; default: seeded random inputs.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        plan: A transfer of its weights, which has what the model is as layers and as nodes; default: found out here.
        progress: Called with what is being done.

    Raises:
        BadInput: The inputs do not fit, or are not finite.
        VerificationImpossible: LiteRT cannot run the original.
    """
    described = plan.blueprint if plan else blueprint(model.graph, model.name)
    network = plan.ours if plan else network_of_blueprint(described)
    inputs = seeded_inputs(model.graph, seeds) if inputs is None else inputs
    check_inputs(inputs, model.graph)
    reference = TracedReference(model, network)
    made = []
    for number, arrays in enumerate(inputs, start=1):
        if progress:
            progress(f"running the original, input {number}/{len(inputs)}")
        made.append(reference.both(arrays))
    traces, spreads = zip(*made, strict=True)
    return Original(described, network, inputs, traces, largest(spreads), reference)
