"""A node on its way into a file: what a kind's `emit` adds operators with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.errors import CannotExport
from converter.ops import records
from converter.ops.forms.node import Node, Shape
from converter.ops.forms.operator import PAIRS
from converter.ops.forms.padding import mode_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from converter.tflite.assembly import Assembly


class UnknownLayer(CannotExport):
    """A layer that no operator is known for here."""


@dataclass
class Emission:
    """One node on its way into the file.

    Attributes:
        node: What is to be written.
        weights: Attribute → array in Keras's axis order, batch normalization folded in.
        inputs: Operands.
        output: Where the result goes.
        shapes: Of the operands, without the batch.
        shape: Of the result, without the batch.
        dtype: How weights are stored.
        places: Attribute → a constant of the file that nobody reads any more, for the weight to be stored in.
        made: Operators, in order.
    """

    file: "Assembly"
    node: Node
    weights: "Mapping[str, NDArray[np.float32]]"
    inputs: Sequence[int]
    output: int
    shapes: Sequence[Shape]
    shape: Shape
    dtype: Any
    places: Mapping[str, int] = field(default_factory=dict)
    made: list[Any] = field(default_factory=list)

    @property
    def config(self) -> Mapping[str, Any]:
        """The node's settings."""
        return self.node.config

    def op(self, name: str, *operands: int, version: int = 1, **options: Any) -> None:
        """Add the operator that gives the result; options are called as they are read."""
        self._add(name, operands, self.output, version, options)

    def _add(self, name: str, operands: Sequence[int], output: int, version: int, options: Mapping[str, Any]) -> None:
        self.made.append(self.file.operator(name, operands, output, version, records.operator(name).options, options))

    def weight(self, attribute: str, values: "NDArray[np.float32] | None" = None) -> int:
        """Add a weight; `values` are in the file's axis order."""
        import numpy as np

        given = self.weights[attribute] if values is None else values
        with np.errstate(over="ignore"):
            stored = np.asarray(given).astype(self.dtype, order="C")
        if not np.isfinite(stored).all():
            raise CannotExport(f"{self.node.name}: its {attribute} does not fit {np.dtype(self.dtype).name}")
        return self.file.weight(stored, f"{self.node.name}/{attribute}", self.places.get(attribute))

    def window(self, size: str, *, pads_apart: bool = True) -> tuple[int, dict[str, Any]]:
        """The operand, padded if no mode of padding comes to the same; padding and strides as options.

        Args:
            size: The setting with the window's extents.
            pads_apart: Whether padding of its own computes the same: zeros are no part of a mean, nor of a maximum.
        """
        strides, pads, (x,), (shape,) = self.config["strides"], self.config["padding"], self.inputs, self.shapes
        options = dict(zip(PAIRS["stride"], strides, strict=True))
        mode = mode_of(pads, shape, self.config[size], strides, self.config.get("dilation_rate", (1, 1)))
        if mode is None and not pads_apart:
            raise self.unknown(f"with padding {pads}")
        if mode is None:
            x = self._padded(x, shape, pads)
        return x, options | {"padding": (mode or "valid").upper()}

    def _padded(self, x: int, shape: Shape, pads: Sequence[Sequence[int]]) -> int:
        """Add zeros around an operand, once for all that read it."""
        known, key = self.file.padded, (x, tuple(map(tuple, pads)))
        if key not in known:
            extents = [(n or 0) + sum(pad) for n, pad in zip(shape[:2], pads, strict=True)]
            known[key] = self.between("PAD", (*extents, shape[2]), x, self.ints(((0, 0), *pads, (0, 0)), "paddings"))
        return known[key]

    def bias(self, channels: int) -> int:
        """The bias; zeros where the layer has none, since some kernels want one."""
        import numpy as np

        return self.weight("bias", self.weights.get("bias", np.zeros(channels, np.float32)))

    def ints(self, values: Any, name: str) -> int:
        """Add integers: a shape, axes."""
        import numpy as np

        return self.file.constant(np.array(values, np.int32), f"{self.node.name}/{name}")

    def between(self, name: str, shape: Sequence[int | None], *operands: int, **options: Any) -> int:
        """Add an operator before the last one; gives its result."""
        made = self.file.tensor((1, *(int(n or 0) for n in shape)), f"{self.node.name}/{name.lower()}")
        self._add(name, operands, made, 1, options)
        return made

    def takes(self, *settings: str) -> None:
        """Refuse settings that the operator has no equivalent for."""
        for name in self.config.keys() - set(settings):
            raise self.unknown(f"with {name} {self.config[name]}")

    def unknown(self, why: str = "") -> UnknownLayer:
        """To be raised for what no operator is known for."""
        return UnknownLayer(f"{self.node.name}: no TFLite operator is known here for {self.node.kind} {why}".rstrip())


def emit(emission: Emission) -> list[Any]:
    """The operators of a node, in order.

    Raises:
        UnknownLayer: None is known.
    """
    write = records.kind(emission.node.kind).emit
    if write is None or len(emission.node.outputs) != 1:
        raise emission.unknown()
    write(emission)
    return emission.made
