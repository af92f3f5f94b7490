"""Keras layers run one after the other, each on what came before it or on values that are given."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from converter.errors import BadCandidate
from converter.match.network import Network
from converter.match.trace import Call
from converter.ops.forms import Value
from parity.runners.runtimes import Array, compiled


class Replay:
    """Layers in execution order.

    Args:
        network: The same as nodes: their values are what a run gives.
        calls: Of the layers, with `Value`s in place of symbolic tensors.
    """

    def __init__(self, network: Network, calls: Iterable[Call]) -> None:
        self._inputs = [end.value for end in network.inputs]
        self._calls = tuple(calls)
        made = {value for call in self._calls for value in call.outputs}
        # Result → what a layer with an activation argument computes before it.
        self._before_activation = {
            node.outputs[0]: node.inputs[0]
            for node in network.nodes
            if node.kind == "activation" and node.inputs[0].stage and node.inputs[0] not in made
        }
        # Some layers augment pictures unless told not to.
        self._inference = {
            call: {"training": False} if "training" in inspect.signature(call.layer.call).parameters else {}
            for call in self._calls
        }
        self._run = compiled(self._execute)

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        import keras

        return _Converted(self._run(list(inputs), dict(feeds)), keras.ops.convert_to_numpy)

    def _execute(self, inputs: list[Any], feeds: dict[Value, Any]) -> dict[Value, Any]:
        import keras

        given = dict(zip(self._inputs, inputs, strict=True)) | feeds
        known = {value: keras.ops.convert_to_tensor(array) for value, array in given.items()}
        computed: dict[Value, Any] = {}
        for call in self._calls:
            for value, made in zip(call.outputs, self._call(call, known, computed), strict=True):
                computed[value] = made
                known.setdefault(value, made)
        return computed

    def _call(self, call: Call, known: Mapping[Value, Any], computed: dict[Value, Any]) -> list[Any]:
        import keras

        args, kwargs = call.with_operands(known.__getitem__)
        kwargs |= self._inference[call]
        before, run = self._before_activation.get(call.outputs[0]), _directly(call.layer)
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


class _Converted(Mapping[Value, Array]):
    """Back-end tensors, turned into numpy arrays one at a time when they are asked for."""

    def __init__(self, tensors: dict[Value, Any], convert: Any) -> None:
        self._tensors, self._convert = tensors, convert

    def __getitem__(self, value: Value) -> Array:
        converted: Array = self._convert(self._tensors[value])
        return converted

    def __iter__(self) -> Any:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
