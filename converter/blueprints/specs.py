"""A whole model as Keras layers, as plain data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from converter.ops.forms import Value, Weight
from converter.tflite.model import Graph, Op, Tensor


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One Keras layer of the rebuilt model.

    Attributes:
        op: The operator that it stands for, alone or as one of several.
        outputs: One value per output of the layer.
    """

    name: str
    layer: str
    config: Mapping[str, Any]
    weights: Mapping[str, Weight]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    op: Op


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole model as layers, in execution order.

    Attributes:
        graph: The graph after the passes; weights refer to its tensors.
        inputs: Name of each input → its tensor.
        outputs: Name of each output, in the file's order → the value that it is.
        shapes: Extents of every value, without the batch axis.
    """

    name: str
    graph: Graph
    specs: tuple[LayerSpec, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, Value]
    shapes: Mapping[Value, tuple[int, ...]]

    def weights(self) -> Iterator[tuple[LayerSpec, str, Tensor, Weight]]:
        """Every weight of every layer: (spec, attribute, the file's constant, weight)."""
        for spec in self.specs:
            for attribute, weight in spec.weights.items():
                yield spec, attribute, self.graph.tensors[weight.tensor], weight
