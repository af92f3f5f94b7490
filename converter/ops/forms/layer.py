"""Keras layers in comparable form: several ways to write the same step end in the same kind and settings.

What has no record keeps its class name and its own settings. The file's side (`LayerSpec`) and the user's
(`get_config()`) speak the same language, so both pass through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.ops import records
from converter.ops.forms.node import Shape
from converter.ops.forms.padding import Pair, pixels

# Settings that say nothing about what is computed (in inference).
HOUSEKEEPING = ("name", "dtype", "trainable", "data_format", "build_config")
HOUSEKEEPING_ENDINGS = ("_initializer", "_regularizer", "_constraint")
# Keras has several names for the same function.
ALIASES = {"hard_swish": "hard_silu", "swish": "silu", "HardSwish": "hard_silu"}


@dataclass(frozen=True, slots=True)
class Part:
    """One node of a layer.

    Attributes:
        weights: The node's name for a weight → the layer's.
        channels: Of its result, where they are not the layer's.
        shapes: The node's name for a weight → its shape there, where the layer has it under another.
    """

    kind: str
    config: Mapping[str, Any]
    weights: Mapping[str, str] = field(default_factory=dict)
    channels: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """A layer as a record's functions see it; shapes are without the batch axis."""

    layer: str
    config: Mapping[str, Any]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]

    def pair(self, name: str, default: int = 1) -> Pair:
        """A setting given as a number or as (height, width)."""
        return as_pair(self.config.get(name, default))

    def pads(self, window: Pair, strides: Pair, dilation: Pair = (1, 1)) -> tuple[Pair, Pair]:
        """((top, bottom), (left, right)) that `padding` comes to here."""
        given = self.config.get("padding", "valid")
        if not isinstance(given, str):
            return as_pair(given[0]), as_pair(given[1])
        return pixels(given, self.inputs[0], window, strides, dilation)


def as_pair(value: Any) -> Pair:
    """A number for both, or (first, second)."""
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)


def parts(view: View) -> list[Part]:
    """A layer's nodes, its activation last; none if it only hands on what it gets."""
    layer = records.layer(view.layer)
    weights = {name: name for name in layer.weights}
    made = layer.parts(view) if layer.parts else [Part(view.layer, _settings(view.config), weights)]
    return [*made, *activation_parts(view.config.get("activation"))] if layer.takes_activation else made


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name, value in config.items()
        if name not in HOUSEKEEPING and not name.endswith(HOUSEKEEPING_ENDINGS)
    }


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def activation_parts(given: Any) -> list[Part]:
    """An `activation` argument as a node of its own; none if it is linear."""
    if isinstance(given, Mapping):  # a serialized object or function
        settings = given.get("config")
        if given.get("class_name") in records.LAYERS and isinstance(settings, Mapping):
            return parts(View(given["class_name"], settings, (), ()))
        given = settings if isinstance(settings, str) else given.get("class_name", "unknown")
    name = str(given or "linear")
    return [] if name == "linear" else [Part("activation", {"function": ALIASES.get(name, name)})]


def biased(view: View, kernel: str = "kernel") -> dict[str, str]:
    """The node's names for a kernel and perhaps a bias → the layer's."""
    return {"kernel": kernel} | ({"bias": "bias"} if view.config.get("use_bias", True) else {})
