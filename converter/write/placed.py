"""Weights on their way back into the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.blueprints.specs import Blueprint
from converter.errors import CannotExport
from converter.match.network import Pair
from converter.ops.forms import Node
from converter.tflite.decode import decode
from converter.tflite.model import Model, Op, Tensor
from converter.write.folded import values_of
from converter.write.splice import Splicing

StorageType = Literal["float16", "float32"]
FLOATS: Mapping[str, Any] = {"FLOAT16": np.float16, "FLOAT32": np.float32}


@dataclass(frozen=True, slots=True)
class Placed:
    """One weight on its way back.

    Attributes:
        op: Operator of the file that reads it.
        tensor: The operand, as the operator sees it.
        values: In the file's axis order.
        layer: Where it comes from.
    """

    op: Op
    tensor: Tensor
    values: NDArray[np.float32]
    layer: str

    def storage_type(self, dtype: StorageType | None) -> str:
        """How it is stored: as asked for, or else as in the file."""
        stored = self.tensor.storage.dtype if self.tensor.storage else "nothing"
        if dtype is None and stored not in FLOATS:
            raise CannotExport(
                f"{self.tensor} of {self.op} is stored as {stored}", hint="dtype='float32' or 'float16' stores it so"
            )
        return dtype.upper() if dtype else stored

    def encoded(self, kind: str) -> bytes:
        """Its bytes in a storage type."""
        if not np.isfinite(self.values).all():
            raise CannotExport(f"{self.layer}: weights for {self.tensor} are not finite")
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(self.values.astype(FLOATS[kind], copy=False))
        if not np.isfinite(stored).all():
            raise CannotExport(
                f"{self.layer}: a weight of {np.abs(self.values).max():.3g} is too large for {kind.lower()}",
                hint="dtype='float32' has room for it",
            )
        return stored.tobytes()


def placed_of(pair: Pair[Node], plan: Blueprint) -> Iterator[Placed]:
    """The weights of a node of the model that its partner's operator has a place for.

    Raises:
        CannotExport: There is a weight of another shape, or one without a place.
    """
    ours, theirs, values = pair.ours, pair.theirs, values_of(pair.theirs)
    for name, slot in ours.weights.items():
        weight = slot.holder
        tensor = plan.graph.tensors[weight.tensor]
        if name not in values and not decode(tensor).any():  # a bias of zeros that the model does without
            continue
        made = values.pop(name) if name in values else np.zeros(slot.shape, np.float32)
        if made.shape != slot.shape:
            raise CannotExport(f"{theirs.name}: {name} has shape {made.shape}, the file's {tensor} {slot.shape}")
        yield Placed(ours.origin.op, tensor, weight.layout.to_tflite(made, tensor.shape), theirs.name)
    for name, left in values.items():
        if np.any(left):
            raise CannotExport(f"{theirs.name}: {ours.origin.op} of the file has no place for its {name}")


def place(original: Model, placed: Sequence[Placed], dtype: StorageType | None = None) -> bytes:
    """Put weights into the file.

    Args:
        original: The file.
        placed: Weights; what is not among them stays.
        dtype: See `write`.

    Raises:
        CannotExport: A weight does not fit the storage type, or is stored quantized.
    """
    patched = bytearray(original.data)
    base = np.frombuffer(original.data, np.uint8).ctypes.data
    written: set[int] = set()
    for each in placed:
        kind, storage = each.storage_type(dtype), each.tensor.storage
        content = each.encoded(kind)
        if storage is None or storage.sparsity or storage.dtype != kind:
            break
        start = np.frombuffer(storage.data, np.uint8).ctypes.data - base
        if start in written and patched[start : start + len(content)] != content:  # shared until now
            break
        patched[start : start + len(content)] = content
        written.add(start)
    else:
        return bytes(patched)
    return restored(Splicing(original.data, np.float32), placed, dtype)


def restored(file: Splicing, placed: Sequence[Placed], dtype: StorageType | None) -> bytes:
    """A file taken apart, with its weights in other places."""
    first: dict[int, bytes] = {}
    moved: dict[tuple[int, bytes], int] = {}  # operand and content → the operand that has it now
    for each in placed:
        index, kind = each.tensor.index, each.storage_type(dtype)
        content = each.encoded(kind)
        if (index, content) not in moved:
            is_first = first.setdefault(index, content) == content
            moved[index, content] = file.stored(index if is_first else file.twin(index), kind, content)
        file.reads(file.originals[each.op.index], index, moved[index, content])
    file.drop_what_nobody_reads()
    return file.pack()
