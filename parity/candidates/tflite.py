"""Another `.tflite` file as the candidate: LiteRT runs all of it, Keras each of its layers alone."""

from collections.abc import Mapping, Sequence

from converter.blueprints.build import blueprint
from converter.match.canonical import network_of_blueprint
from converter.ops.node import Ref
from converter.rebuild.model import rebuild
from converter.tflite.model import Model
from parity.candidates.keras import KerasCandidate
from parity.runners.tracing import TracedReference
from parity.runners.types import Array


class TfliteCandidate(KerasCandidate):
    """A `.tflite` file.

    Args:
        model: As read.

    Raises:
        UnsupportedOp: One of its operators has no Keras equivalent.
        VerificationImpossible: LiteRT refuses it.
    """

    def __init__(self, model: Model) -> None:
        plan = blueprint(model.graph, model.name)
        super().__init__(rebuild(plan))
        self._litert = TracedReference(model, network_of_blueprint(plan))
        # Value of the rebuilt model → the file's.
        specs = {spec.name: spec for spec in plan.specs}
        self._refs: dict[Ref, Ref] = {}
        for call in self._traced.calls:
            if call.name not in specs:  # what Keras adds, such as converting inputs
                continue
            for tensor, ref in zip(call.outputs, specs[call.name].outputs, strict=True):
                self._refs[self._traced.values[id(tensor)]] = ref

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        return [made.get(value) for _, value in self.network.outputs]

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """See `Candidate.run`."""
        if feeds:
            return super().run(inputs, feeds)
        self.check_inputs(inputs)
        trace = self._litert.trace(inputs)
        made = {value: trace[ref] for value, ref in self._refs.items() if ref in trace}
        for after, before in self._before_activation.items():
            own = f"{self._refs[after]}:{str(before).rpartition(':')[2]}"
            if own in trace:
                made[before] = trace[own]
        return made
