"""A Keras model as the candidate: run as a whole, or each of its layers alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.errors import BadCandidate
from converter.match.trace import Call, KerasNetwork, keras_network
from converter.ops.forms import Slot, Value
from parity.candidates.candidate import Given, check_fit
from parity.candidates.replay import Replay
from parity.runners.runtimes import Array, compiled


class KerasCandidate:
    """A Keras model.

    Args:
        model: Any built model, functional or not.
        traced: The same, where it has been traced already.

    Raises:
        UnsupportedModel: It cannot be traced.
    """

    can_isolate = True

    def __init__(self, model: Any, traced: KerasNetwork | None = None) -> None:
        self._traced = traced or keras_network(model)
        self.name: str = model.name
        self.network = self._traced.network
        self.has_named_outputs = self._traced.has_named_outputs
        self._replay = Replay(self.network, _valued(self._traced))
        self._whole = compiled(self._call_model)
        holders = [model, *(holder for call in self._traced.calls for holder in call.holders)]
        self._is_keras_all_through = all(type(holder).__module__.startswith("keras.") for holder in holders)

    def weight(self, slot: Slot) -> Array | None:
        """See `Candidate.weight`."""
        import keras

        array: Array = keras.ops.convert_to_numpy(slot.holder)
        return array.reshape(slot.shape)

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        check_fit(inputs, self.network)
        return self._replay.run(inputs, feeds)

    def run_all(self, given: Sequence[Given]) -> list[Mapping[Value, Array]]:
        """See `run_all` of `parity.candidates.candidate`."""
        for inputs, _ in given:
            check_fit(inputs, self.network)
        return self._replay.run_all(given)

    def outputs(self, inputs: Sequence[Array], made: Mapping[Value, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`.

        A model with a `call` of its own is called for real: with numbers it may do something else than with symbols.
        Others do nothing but what was traced.
        """
        import keras

        ends = [end.value for end in self.network.outputs]
        if self._is_keras_all_through and all(value in made for value in ends):
            return [made[value] for value in ends]
        try:
            return [keras.ops.convert_to_numpy(output) for output in self._whole(list(inputs))]
        except Exception as error:
            raise BadCandidate(f"the candidate raises {type(error).__name__}: {error}") from error

    def _call_model(self, inputs: list[Any]) -> list[Any]:
        import keras

        given = keras.tree.pack_sequence_as(self._traced.arguments, inputs)
        return list(keras.tree.flatten(self._traced.model(given, training=False)))


def _valued(traced: KerasNetwork) -> Iterator[Call]:
    """The calls with the network's values in place of symbolic tensors."""
    for call in traced.calls:
        inputs, outputs = (tuple(traced.values[x] for x in tensors) for tensors in (call.inputs, call.outputs))
        if inputs != outputs:  # else it hands on what it gets
            args, kwargs = call.with_operands(traced.values.__getitem__)
            yield replace(call, args=args, kwargs=kwargs, inputs=inputs, outputs=outputs)
