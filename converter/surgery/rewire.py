"""A Keras model built once more, call by call, some of its layers otherwise: what every surgery is made of.

The new model is flat and functional, whatever the old one was, and shares nothing with it, unless that is asked for:
layers are copies with the same names and weights.
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import numpy as np

from converter.errors import CannotChange
from converter.match.trace import Call, KerasNetwork

# The call and its operands in the new model → its result there; None for the same layer again.
Change = Callable[[Call, list[Any]], Any]
Extents = tuple[int, ...]


class Rewiring:
    """One rebuilding of a traced model.

    Args:
        traced: The model.
        extents: Input name → its extents in the new model, where they are others (without the batch).
        share: Whether layers that stay as they are are the old model's own.
    """

    def __init__(
        self, traced: KerasNetwork, extents: Mapping[str, Extents] | None = None, *, share: bool = False
    ) -> None:
        import keras

        self._tree = keras.tree
        self.traced, self._share = traced, share
        self._layers: dict[tuple[Any, str], Any] = {}  # the old layer and the new one's name
        self._names: set[str] = set()
        self.inputs = [
            keras.Input((extents or {}).get(x.name, tuple(x.shape[1:])), name=x.name, dtype=x.dtype)
            for x in self._tree.flatten(traced.arguments)
        ]
        # Symbolic tensor → the new one.
        self.values: dict[Any, Any] = dict(zip(self._tree.flatten(traced.arguments), self.inputs, strict=True))

    def run(self, change: Change) -> None:
        """Go through all calls in order.

        Raises:
            CannotChange: A layer does not take what it gets now; the message names it.
        """
        for call in self.traced.calls:
            operands = [self.values[tensor] for tensor in call.inputs]
            # `ConvertToTensor` is what Keras itself does with a model's inputs.
            made = operands if type(call.layer).__name__ == "ConvertToTensor" else change(call, operands)
            made = self.again(call) if made is None else made
            for old, new in zip(call.outputs, self._tree.flatten(made), strict=True):
                self.values[old] = new

    def again(self, call: Call, layer: Any = None) -> Any:
        """Call the layer's copy (or another layer) with the same arguments, as far as they are no tensors."""
        is_copy = layer is None
        layer = self.layer(call) if is_copy else layer
        args, kwargs = call.with_operands(self.values.__getitem__)
        try:
            made = layer(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise CannotChange(f"{call.name}: Keras refuses it after the change: {error}") from error
        if is_copy and layer is not call.layer:
            _take_weights(layer, call)
        return made

    def layer(self, call: Call, name: str = "", **config: Any) -> Any:
        """A layer of the same class and settings, without weights yet, or the same; a layer called twice has one.

        Args:
            call: Of the layer.
            name: What to call it; default: as it was.
            config: Settings that are others.

        Raises:
            CannotChange: It does not say what it was made with.
        """
        name = name or call.name.replace("/", "_")
        if (call.layer, name) not in self._layers:
            unused = self.free(name)
            is_same = self._share and not config and call.layer.name == unused
            self._layers[call.layer, name] = call.layer if is_same else _like(call, unused, config)
        return self._layers[call.layer, name]

    def free(self, name: str) -> str:
        """The name, with a number if it is taken."""
        names = (f"{name}_{number}" if number else name for number in count())
        made = next(each for each in names if each not in self._names)
        self._names.add(made)
        return made

    def model(self, more: Mapping[str, Any] | None = None) -> Any:
        """The new model.

        Args:
            more: Further outputs, after the old ones.
        """
        import keras

        inputs = self._tree.pack_sequence_as(self.traced.arguments, self.inputs)
        outputs = self._tree.map_structure(self.values.__getitem__, self.traced.returned)
        if more and isinstance(outputs, dict):
            outputs = outputs | dict(more)
        elif more:
            outputs = [*self._tree.flatten(outputs), *more.values()]
        try:
            return keras.Model(inputs, outputs, name=self.traced.model.name)
        except ValueError as error:
            raise CannotChange(f"Keras refuses the changed {self.traced.model.name}: {error}") from error


def _like(call: Call, name: str, config: Mapping[str, Any]) -> Any:
    try:
        settings = call.layer.get_config()
        named = {"name": name} if "name" in settings else {}  # operations of `keras.ops` need not have one
        return type(call.layer).from_config(settings | config | named)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise CannotChange(
            f"{call.name} cannot be built once more: {error}", hint="give the layer a `get_config`"
        ) from error


def _take_weights(layer: Any, call: Call) -> None:
    values = [np.asarray(value) for value in getattr(call.layer, "get_weights", list)()]
    shapes = [tuple(weight.shape) for weight in getattr(layer, "weights", ())]
    if shapes != [value.shape for value in values]:
        raise CannotChange(
            f"{call.name}: its weights have shapes {[value.shape for value in values]}, after the change {shapes}"
        )
    if values:
        layer.set_weights(values)


def only_input(arguments: Any, model: Any) -> Any:
    """The symbolic input of a model that has one.

    Raises:
        CannotChange: It has several.
    """
    import keras

    taken = keras.tree.flatten(arguments)
    if len(taken) != 1:
        raise CannotChange(f"{model.name} takes {len(taken)} inputs, expected one")
    return taken[0]
