"""What a `.tflite` file says, as frozen values. Constants are views on the file, and decoded on demand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from converter.errors import MalformedModel, UnsupportedModel

# Operators that only give a stored constant another form.
STORAGE_OPS = ("DENSIFY", "DEQUANTIZE")
# Bits per element; STRING, RESOURCE and VARIANT have no fixed size.
BITS = {"INT4": 4, "BOOL": 8, "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "FLOAT16": 16, "BFLOAT16": 16}
BITS |= {"INT32": 32, "UINT32": 32, "FLOAT32": 32, "INT64": 64, "UINT64": 64, "FLOAT64": 64}
BITS |= {"COMPLEX64": 64, "COMPLEX128": 128}


@dataclass(frozen=True, slots=True)
class Quantization:
    """`real = scale * (stored - zero_point)`, per tensor or along one axis."""

    scale: memoryview
    zero_point: memoryview | None
    axis: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """One level of a sparse tensor: dense of a size, or compressed (`segments` and `indices`)."""

    dense_size: int
    segments: memoryview | None = None
    indices: memoryview | None = None


@dataclass(frozen=True, slots=True)
class Sparsity:
    """How the values of a sparse tensor are laid out; `converter.tflite.decode.densify` has the rules."""

    traversal_order: tuple[int, ...]
    block_map: tuple[int, ...]
    dimensions: tuple[Dimension, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """A constant as the file stores it."""

    dtype: str
    data: memoryview = field(repr=False)
    quantization: Quantization | None = None
    sparsity: Sparsity | None = None

    @property
    def label(self) -> str:
        """For people, e.g. `FLOAT16` or `FLOAT16 sparse`."""
        return f"{self.dtype} sparse" if self.sparsity else self.dtype


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        shape: The static shape; a scalar has `()`.
        shape_signature: As `shape` with -1 where the exporter left an axis free.
        dtype: What operators see, e.g. `FLOAT32`, also where `storage` keeps another type.
        storage: The constant's bytes; None for what is computed or fed.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    storage: Storage | None = None
    quantization: Quantization | None = None
    is_variable: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def __str__(self) -> str:
        return f"tensor #{self.index} {self.name!r}"

    def ints(self) -> tuple[int, ...]:
        """The values of a small integer constant (a shape, axes, paddings), flat, in C order."""
        if self.storage is None or self.storage.sparsity or self.dtype not in ("INT32", "INT64"):
            raise MalformedModel(f"{self} should be a constant of integers, but is {self.dtype}")
        return tuple(self.storage.data.cast("i" if self.dtype == "INT32" else "q"))


@dataclass(frozen=True, slots=True)
class Op:
    """One operator; an omitted optional operand stays in place as None."""

    index: int
    kind: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    version: int = 1
    custom_options: memoryview | None = field(default=None, repr=False)
    is_custom: bool = False

    def __str__(self) -> str:
        return f"op #{self.index} {self.kind}"


@dataclass(frozen=True)
class Graph:
    """One subgraph: operators in execution order."""

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constants(self) -> Iterator[Tensor]:
        """The constants that operators read, each once."""
        used = {index for op in self.ops for index in op.inputs if index is not None}
        return (self.tensors[i] for i in sorted(used) if self.tensors[i].storage)


@dataclass(frozen=True, slots=True)
class Signature:
    """A named entry point: argument name → tensor index."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Model:
    """A whole file.

    Attributes:
        data: The file's bytes, memory-mapped; everything else refers to it.
        metadata: Name → bytes, e.g. `TFLITE_METADATA`.
    """

    name: str
    data: memoryview = field(repr=False)
    version: int
    description: str
    graphs: tuple[Graph, ...]
    signatures: tuple[Signature, ...]
    metadata: Mapping[str, memoryview] = field(repr=False)

    @property
    def graph(self) -> Graph:
        """The only subgraph.

        Raises:
            UnsupportedModel: There are several (control flow), which no Keras layer stands for.
        """
        if len(self.graphs) != 1:
            raise UnsupportedModel(
                f"{self.name} has {len(self.graphs)} subgraphs, and only models with one can be converted",
                hint="export one signature alone, without control flow (IF, WHILE, CALL_ONCE)",
            )
        return self.graphs[0]
