"""What an operator means in Keras, as plain data: the values that `converter.ops` makes and all else reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.graph import Graph, Op, Tensor
from converter.layouts import Layout

# A tensor of the file by index, or a value between two layers of one operator by name.
Ref = int | str


@dataclass(frozen=True, slots=True)
class Weight:
    """Where a layer's weight comes from.

    Attributes:
        tensor: Index of the constant.
        layout: How its axes become Keras's.
        trainable: False only for numbers that the architecture fixes, such as a unit conversion.
    """

    tensor: int
    layout: Layout
    trainable: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One Keras layer of an operator's chain, before it has a name.

    Attributes:
        layer: Class name in `keras.layers` or `converter.layers`.
        config: Its constructor's arguments.
        weights: Attribute of the layer → where the value comes from.
        inputs: Operands; None is the step before. Empty: the step before, or all computed operands of the op.
    """

    layer: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    inputs: tuple[Ref | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One Keras layer of the rebuilt model.

    Attributes:
        op: The operator that it stands for, alone or as one of several.
        outputs: One reference per output of the layer.
    """

    name: str
    layer: str
    config: Mapping[str, Any]
    weights: Mapping[str, Weight]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    op: Op


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole model as layers, in execution order.

    Attributes:
        graph: The graph after the passes; weights refer to its tensors.
        inputs: Name of each input → its tensor.
        outputs: Name of each output, in the file's order → the reference that holds it.
    """

    name: str
    graph: Graph
    specs: tuple[LayerSpec, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, Ref]

    def weights(self) -> Iterator[tuple[LayerSpec, str, Tensor, Weight]]:
        """Every weight of every layer: (spec, attribute, the file's constant, weight)."""
        for spec in self.specs:
            for attribute, weight in spec.weights.items():
                yield spec, attribute, self.graph.tensors[weight.tensor], weight
