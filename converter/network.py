"""One form for both sides of a comparison: what the file computes, and what somebody's Keras model computes.

Keras has several ways to say the same: an activation as an argument or as a layer, padding as an argument or as
a layer, a separable convolution as one layer or two. `converter.normal_form` undoes these choices; what is left
is a `Network` of nodes with comparable kinds and settings. Pure data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.specs import Ref

# Extents without the batch axis.
Shape = tuple[int | None, ...]

# Kinds that a slip of the pen exchanges: a node is looked for in its whole family, and the audit names the rest.
FAMILIES = {
    "max_pool": "pool",
    "average_pool": "pool",
    "prelu": "activation",
    "permute": "reshape",
}

# Kinds whose operands may come in any order.
COMMUTATIVE = ("add", "multiply")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a node keeps one weight.

    Attributes:
        shape: In Keras's axis order.
        holder: A `converter.specs.Weight` on the file's side, a `keras.Variable` on the other.
    """

    shape: tuple[int, ...]
    holder: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the computation, whatever layers it was written with.

    Attributes:
        name: Of the layer that counts: the convolution, not its padding or batch normalization.
        kind: E.g. `conv`, `max_pool`, `activation`; a class name for what has no normal form.
        config: Settings in comparable form: sizes as pairs, padding as pixels.
        weights: Attribute → slot; those of a folded batch normalization start with `batch_norm/`.
        inputs: Operands as values of the network.
        outputs: Values that it computes.
        layers: Names of all the layers that it stands for, in order.
        origin: The `LayerSpec` on the file's side; the layer on the other.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    weights: Mapping[str, Slot]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    layers: tuple[str, ...] = ()
    origin: Any = field(default=None, repr=False)

    @property
    def family(self) -> str:
        """Kinds that may stand for each other by mistake."""
        return FAMILIES.get(self.kind, self.kind)


@dataclass(frozen=True)
class Network:
    """Nodes in execution order.

    Attributes:
        shapes: Every value's extents, without the batch axis.
        inputs: Name → value, in order.
        outputs: (name, value), in order.
        loose: Nodes with weights whose place in the graph is unknown (inside layers that cannot be traced).
    """

    nodes: tuple[Node, ...]
    shapes: Mapping[Ref, Shape]
    inputs: Mapping[str, Ref]
    outputs: tuple[tuple[str, Ref], ...]
    loose: tuple[Node, ...] = ()

    def producers(self) -> dict[Ref, Node]:
        """Value → the node that computes it."""
        return {value: node for node in self.nodes for value in node.outputs}

    def consumers(self) -> dict[Ref, list[Node]]:
        """Value → the nodes that read it, in order."""
        readers: dict[Ref, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def all_nodes(self) -> Iterator[Node]:
        """Placed and loose ones."""
        yield from self.nodes
        yield from self.loose
