"""One form for both sides of a comparison: what the file computes, and what somebody's Keras model computes.

Keras has several ways to say the same: an activation as an argument or as a layer, padding as an argument or as
a layer, a separable convolution as one layer or two. `converter.ops` and `converter.passes` undo these
choices; what is left is a `Network` of nodes with comparable kinds and settings. Pure data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from converter.match.ends import End
from converter.ops.forms import Node, Shape, Value

T = TypeVar("T", Node, Value)


@dataclass(frozen=True, slots=True)
class Pair(Generic[T]):
    """Two nodes or two values that belong together: the file's and the model's."""

    ours: T
    theirs: T


@dataclass(frozen=True)
class Network:
    """Nodes in execution order.

    Attributes:
        shapes: Every value's extents, without the batch axis.
        loose: Nodes with weights whose place in the graph is unknown (inside layers that cannot be traced).
    """

    nodes: tuple[Node, ...]
    shapes: Mapping[Value, Shape]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    loose: tuple[Node, ...] = ()

    def producers(self) -> dict[Value, Node]:
        """Value → the node that computes it."""
        return {value: node for node in self.nodes for value in node.outputs}

    def consumers(self) -> dict[Value, list[Node]]:
        """Value → the nodes that read it, in order."""
        readers: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def all_nodes(self) -> Iterator[Node]:
        """Placed and loose ones."""
        yield from self.nodes
        yield from self.loose
