"""Keras layers run one after the other, each on what came before it or on values that are given."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from converter.errors import BadCandidate
from converter.match.network import Network
from converter.match.trace import Call
from converter.ops.forms import Value
from parity.candidates.batching import is_ours, is_per_example
from parity.candidates.candidate import Given
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
        self._run = compiled(self._execute)

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        import keras

        return _Converted(self._run(list(inputs), dict(feeds)), keras.ops.convert_to_numpy)

    def run_all(self, given: Sequence[Given]) -> list[Mapping[Value, Array]]:
        """What `run` gives for each, in less time: most layers run once, on all of them as one batch.

        What calling a layer takes in Python is a multiple of what a small picture takes to compute.
        """
        import keras

        if len(given) == 1 or keras.backend.backend() == "jax":  # which compiles the whole of `run`
            return [self.run(*each) for each in given]
        runs = [_One(dict(zip(self._inputs, inputs, strict=True)) | dict(feeds)) for inputs, feeds in given]
        batch, together = given[0][0][0].shape[:1], _Several(runs)
        for call in self._calls:
            if is_per_example(call.layer) and all(together.is_alike(value, batch) for value in call.inputs):
                self._call(call, together)
            else:
                for run in runs:
                    self._call(call, run)
        return [_Converted(run.computed, keras.ops.convert_to_numpy) for run in runs]

    def _execute(self, inputs: list[Any], feeds: dict[Value, Any]) -> dict[Value, Any]:
        run = _One(dict(zip(self._inputs, inputs, strict=True)) | feeds)
        for call in self._calls:
            self._call(call, run)
        return run.computed

    def _call(self, call: Call, run: "_Run") -> None:
        import keras

        args, kwargs = call.with_operands(run.operand)
        layer = call.layer
        function = layer.call if is_ours(layer) else layer  # what `__call__` checks takes as long as the computation
        if _takes_training(getattr(layer.call, "__func__", layer.call)):  # some augment pictures unless told not to
            kwargs["training"] = False
        before = self._before_activation.get(call.outputs[0])
        try:
            if before is None:
                made = keras.tree.flatten(function(*args, **kwargs))
            else:
                with _linear(layer) as activation:
                    run.keep(before, function(*args, **kwargs))
                made = [activation(run.operand(before))]
        except Exception as error:
            raise BadCandidate(
                f"layer {call.name!r} of the candidate raises {type(error).__name__}: {error}"
            ) from error
        for value, each in zip(call.outputs, made, strict=True):
            run.keep(value, each)


class _Run(Protocol):
    """Where a layer's operands come from, and where its results go."""

    def operand(self, value: Value) -> Any: ...

    def keep(self, value: Value, made: Any) -> None: ...


class _One:
    """One run.

    Attributes:
        known: What layers read: what is given, and what was computed where nothing is.
        computed: What layers gave.
    """

    def __init__(self, given: dict[Value, Any]) -> None:
        self.known, self.computed = given, dict[Value, Any]()

    def operand(self, value: Value) -> Any:
        """A value as a layer takes it."""
        import keras

        made = self.known[value]
        return keras.ops.convert_to_tensor(made) if isinstance(made, np.ndarray) else made

    def keep(self, value: Value, made: Any) -> None:
        """Take a result."""
        self.computed[value] = made
        self.known.setdefault(value, made)


class _Several:
    """Several runs as one batch; between the layers their values are numpy's, which cuts and joins in no time."""

    def __init__(self, runs: Sequence[_One]) -> None:
        self._runs = runs

    def is_alike(self, value: Value, batch: tuple[int, ...]) -> bool:
        """Whether a value has the same shape in all runs, with this batch axis."""
        first, *others = (tuple(run.known[value].shape) for run in self._runs)
        return first[:1] == batch and all(shape == first for shape in others)

    def operand(self, value: Value) -> Any:
        """See `_One`."""
        import keras

        return keras.ops.convert_to_tensor(np.concatenate([_numpy(run.known[value]) for run in self._runs]))

    def keep(self, value: Value, made: Any) -> None:
        """See `_One`."""
        array = _numpy(made)
        size = len(array) // len(self._runs)
        for number, run in enumerate(self._runs):
            run.keep(value, array[number * size : (number + 1) * size])


def _numpy(tensor: Any) -> Array:
    import keras

    made: Array = tensor if isinstance(tensor, np.ndarray) else keras.ops.convert_to_numpy(tensor)
    return made


@lru_cache(256)
def _takes_training(call: Callable[..., Any]) -> bool:
    return "training" in inspect.signature(call).parameters


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


class _Converted(Mapping[Value, Array]):
    """Back-end tensors, turned into numpy arrays one at a time when they are asked for."""

    def __init__(self, tensors: dict[Value, Any], convert: Any) -> None:
        self._tensors, self._convert = tensors, convert

    def __getitem__(self, value: Value) -> Array:
        tensor = self._tensors[value]
        converted: Array = tensor if isinstance(tensor, np.ndarray) else self._convert(tensor)
        return converted

    def __iter__(self) -> Any:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
