"""One step of a computation, the same for both sides of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from converter.ops import records

# Extents without the batch axis.
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What a step computes or reads.

    Attributes:
        key: On the file's side the tensor's index, or the operator's for what lies inside one; a running number for
            Keras; a name for ONNX.
        stage: Which step inside an operator or layer gave it; empty for what the whole of it gives.
    """

    key: int | str
    stage: str = ""

    def __str__(self) -> str:
        return f"{self.key}:{self.stage}" if self.stage else str(self.key)

    def __lt__(self, other: "Value") -> bool:  # JAX sorts the keys of what it is given
        return str(self) < str(other)

    def inner(self, stage: str) -> "Value":
        """What a step inside the one that computes this gives."""
        return Value(self.key, f"{self.stage}:{stage}" if self.stage else stage)

    @property
    def tensor(self) -> int | None:
        """Index of the tensor that holds it, on the file's side; None if none does."""
        return self.key if isinstance(self.key, int) and not self.stage else None


@dataclass(frozen=True, eq=False, slots=True)
class Slot:
    """Where a node keeps one weight. Those of one holder are equal, so that it can stand for it.

    Attributes:
        shape: In Keras's axis order, as the node sees it. The layer may have it under another shape, with the same
            numbers in the same order: a `Dense` over pictures is a convolution whose kernel lacks two axes.
        holder: A `converter.ops.forms.Weight` on the file's side, a `keras.Variable` on the other.
    """

    shape: tuple[int, ...]
    holder: Any = field(repr=False)

    def __eq__(self, other: object) -> bool:  # a variable compares itself number by number
        return isinstance(other, Slot) and self.holder is other.holder

    def __hash__(self) -> int:
        return id(self.holder)

    def seen_as(self, shape: tuple[int, ...]) -> "Slot":
        """The same under another shape."""
        return replace(self, shape=shape)


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One step of the computation, whatever layers it was written with; equal only to itself.

    Attributes:
        name: Of the layer that counts: the convolution, not its padding or batch normalization.
        kind: E.g. `conv`, `max_pool`, `activation`; a class name for what has no record.
        config: Settings in comparable form: sizes as pairs, padding as pixels.
        weights: Attribute → slot; those of a folded batch normalization start with `batch_norm/`.
        inputs: Operands as values of the network.
        outputs: Values that it computes.
        origin: The `LayerSpec` on the file's side; the call of the layer on the other.
        joined: The two nodes that it was made of by one of `converter.passes.fusions`; empty for a layer's own.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    weights: Mapping[str, Slot]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    origin: Any = field(default=None, repr=False)
    joined: tuple["Node", ...] = field(default=(), repr=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all the layers that it stands for, in order."""
        return tuple(dict.fromkeys(name for part in self.joined for name in part.layers)) or (self.name,)

    @property
    def family(self) -> str:
        """Kinds that may stand for each other by mistake."""
        return records.kind(self.kind).family or self.kind

    @property
    def is_commutative(self) -> bool:
        """Whether its operands may come in any order."""
        return records.kind(self.kind).is_commutative
