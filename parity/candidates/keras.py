"""A Keras model as the candidate: run as a whole, or each of its layers alone."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from converter.errors import BadCandidate
from converter.match.trace import Call, KerasNetwork, keras_network
from converter.ops.node import Ref
from parity.runners.keras import compiled
from parity.runners.types import Array


class KerasCandidate:
    """A Keras model.

    Args:
        model: Any built model, functional or not.

    Raises:
        UnsupportedModel: It cannot be traced.
    """

    can_isolate = True

    def __init__(self, model: Any, traced: KerasNetwork | None = None) -> None:
        self._traced = traced or keras_network(model)
        self.name: str = model.name
        self.network = self._traced.network
        # Result → what a layer with an activation argument computes before it.
        self._before_activation = {
            node.outputs[0]: node.inputs[0]
            for node in self.network.nodes
            if node.kind == "activation" and isinstance(node.inputs[0], str)
        }
        self.has_named_outputs = self._traced.has_named_outputs
        self._run = compiled(self._execute)
        self._whole = compiled(self._call_model)
        holders = [model, *(holder for call in self._traced.calls for holder in call.holders)]
        self._is_keras_all_through = all(type(holder).__module__.startswith("keras.") for holder in holders)
        # Some layers augment pictures unless told not to.
        self._takes_training = {
            id(call.layer) for call in self._traced.calls if "training" in inspect.signature(call.layer.call).parameters
        }

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """See `Candidate.run`."""
        import keras

        self.check_inputs(inputs)
        # A dictionary with keys of one type: JAX sorts them.
        made = self._run(list(inputs), {str(value): array for value, array in feeds.items()})
        back = {str(value): value for value in self.network.shapes}
        return _Converted({back[key]: array for key, array in made.items()}, keras.ops.convert_to_numpy)

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`.

        A model with a `call` of its own is called for real: with numbers it may do something else than with symbols.
        Others do nothing but what was traced.
        """
        import keras

        ends = [value for _, value in self.network.outputs]
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

    def check_inputs(self, inputs: Sequence[Array]) -> None:
        """Check that the original's inputs fit.

        Raises:
            BadCandidate: Their number or shape is another.
        """
        own = self.network.inputs
        if len(inputs) != len(own):
            raise BadCandidate(f"the candidate takes {len(own)} inputs, the original {len(inputs)}")
        for given, (name, value) in zip(inputs, own.items(), strict=True):
            expected = tuple(self.network.shapes[value])
            if given.shape[1:] != expected:
                raise BadCandidate(
                    f"input {name!r} of the candidate has shape {expected}, the original's {given.shape[1:]}",
                    hint="build the candidate for the original's input size",
                )

    def value_of(self, layer: str) -> Ref:
        """See `Candidate.value_of`."""
        return next(self._traced.values[id(c.outputs[0])] for c in self._traced.calls if c.name == layer)

    def _execute(self, inputs: list[Any], feeds: dict[str, Any]) -> dict[str, Any]:
        import keras

        values = self._traced.values
        computed: dict[str, Any] = {}
        given = dict(zip(map(str, self.network.inputs.values()), inputs, strict=True)) | feeds
        known = {name: keras.ops.convert_to_tensor(array) for name, array in given.items()}
        for call in self._traced.calls:
            outputs = [str(values[id(tensor)]) for tensor in call.outputs]
            if outputs == [str(values[id(tensor)]) for tensor in call.inputs]:
                continue  # only hands on what it gets
            for name, made in zip(outputs, self._call(call, known, computed), strict=True):
                computed[name] = made
                known.setdefault(name, made)
        return computed

    def _call(self, call: Call, known: dict[str, Any], computed: dict[str, Any]) -> list[Any]:
        import keras

        def value(argument: Any) -> Any:
            key = self._traced.values.get(id(argument)) if isinstance(argument, keras.KerasTensor) else None
            return argument if key is None else known[str(key)]

        args, kwargs = keras.tree.map_structure(value, (call.args, call.kwargs))
        before = self._before_activation.get(self._traced.values[id(call.outputs[0])])
        run = _directly(call.layer)
        if id(call.layer) in self._takes_training:
            kwargs = kwargs | {"training": False}
        try:
            if before is None:
                return list(keras.tree.flatten(run(*args, **kwargs)))
            with _linear(call.layer) as activation:
                computed[before] = run(*args, **kwargs)
            return [activation(known.get(before, computed[before]))]
        except Exception as error:
            raise BadCandidate(
                f"layer {call.name!r} of the candidate raises {type(error).__name__}: {error}"
            ) from error


@contextmanager
def _linear(layer: Any) -> Iterator[Any]:
    """A layer without its activation, which this gives. Past the layer's own bookkeeping: that would track it anew."""
    import keras

    activation, is_plain = layer.activation, "activation" in vars(layer)
    object.__setattr__(layer, "activation", keras.activations.linear)
    try:
        yield activation
    finally:
        if is_plain:
            object.__setattr__(layer, "activation", activation)
        else:  # PyTorch keeps modules elsewhere
            object.__delattr__(layer, "activation")


def _directly(layer: Any) -> Callable[..., Any]:
    """How to run a layer in inference.

    Keras's own layers do nothing but `call` then, as long as all is float32; what `__call__` checks beforehand takes
    as long as the computation.
    """
    policy = getattr(layer, "dtype_policy", None)
    is_plain = type(layer).__module__.startswith("keras.") and policy is not None and policy.name == "float32"
    return layer.call if is_plain else layer  # type: ignore[no-any-return]


class _Converted(Mapping[Ref, Array]):
    """Back-end tensors, turned into numpy arrays one at a time when they are asked for."""

    def __init__(self, tensors: dict[Ref, Any], convert: Any) -> None:
        self._tensors, self._convert = tensors, convert

    def __getitem__(self, value: Ref) -> Array:
        converted: Array = self._convert(self._tensors[value])
        return converted

    def __iter__(self) -> Any:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
