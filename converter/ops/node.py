"""One step of a computation, the same for both sides of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.ops import records

# A tensor of the file by index, or a value between two layers of one operator by name.
Ref = int | str
# Extents without the batch axis.
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a node keeps one weight.

    Attributes:
        shape: In Keras's axis order.
        holder: A `converter.ops.steps.Weight` on the file's side, a `keras.Variable` on the other.
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
        return records.kind(self.kind).family or self.kind

    @property
    def is_commutative(self) -> bool:
        """Whether its operands may come in any order."""
        return records.kind(self.kind).is_commutative
