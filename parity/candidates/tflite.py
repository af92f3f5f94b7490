"""Another `.tflite` file as the candidate: LiteRT runs all of it, Keras each of its layers alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint
from converter.match.alignment.numbers import file_weight
from converter.match.canonical import network_of_blueprint
from converter.match.trace import Call
from converter.ops.forms import Slot, Value
from converter.rebuild.model import rebuild
from converter.tflite.model import Model
from parity.candidates.candidate import check_fit
from parity.candidates.replay import Replay
from parity.runners.reference import TracedReference
from parity.runners.runtimes import Array


class TfliteCandidate:
    """A `.tflite` file.

    Args:
        model: As read.

    Raises:
        UnsupportedOp: One of its operators has no Keras equivalent.
        VerificationImpossible: LiteRT refuses it.
    """

    can_isolate = True
    has_named_outputs = False

    def __init__(self, model: Model) -> None:
        plan = self._plan = blueprint(model.graph, model.name)
        self.name = plan.name
        self.network = network_of_blueprint(plan)
        self._replay = Replay(self.network, _calls(plan))
        self._litert = TracedReference(model, self.network)

    def weight(self, slot: Slot) -> Array | None:
        """See `Candidate.weight`."""
        return file_weight(self._plan, slot)

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        check_fit(inputs, self.network)
        if feeds:
            return self._replay.run(inputs, feeds)
        given = {end.value for end in self.network.inputs}
        return {value: array for value, array in self._litert.trace(inputs).items() if value not in given}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Value, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        return [made.get(end.value) for end in self.network.outputs]


def _calls(plan: Blueprint) -> Iterator[Call]:
    layers: dict[str, Any] = {layer.name: layer for layer in rebuild(plan).layers}
    for spec in plan.specs:
        operands = spec.inputs[0] if len(spec.inputs) == 1 else list(spec.inputs)
        yield Call(spec.name, layers[spec.name], (operands,), {}, spec.inputs, spec.outputs)
