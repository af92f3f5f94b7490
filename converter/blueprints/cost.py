"""What a graph costs to run, counted: multiply-adds, and bytes moved. Nothing is run."""

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass

from converter.ops import records
from converter.passes.storage import fold_storage
from converter.tflite.model import BITS, Graph, Op, Tensor


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operator, or several, cost.

    Attributes:
        multiply_adds: Of inner products alone (convolutions, matrices): what is done once per element, such as an
            activation, costs its bytes.
        weight_bytes: Constants read, in the type that the operator computes with: float16 weights are made float32
            when a runtime loads them, not when it runs.
        activation_bytes: Computed tensors read and written; each operator reads and writes its own.
    """

    multiply_adds: int = 0
    weight_bytes: int = 0
    activation_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Everything that is moved."""
        return self.weight_bytes + self.activation_bytes

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(own + others for own, others in zip(astuple(self), astuple(other), strict=True)))

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


def per_op(graph: Graph) -> dict[int, Cost]:
    """Index of each operator that runs → its cost. What only unpacks a constant runs once, when a file is loaded."""
    folded = fold_storage(graph)
    return {op.index: _cost(op, folded.tensors) for op in folded.ops}


def total(graph: Graph) -> Cost:
    """The sum over all operators."""
    return sum(per_op(graph).values(), Cost())


def _cost(op: Op, tensors: tuple[Tensor, ...]) -> Cost:
    operands = [tensors[index] for index in op.inputs if index is not None]
    results = [tensors[index] for index in op.outputs]
    count = records.operator(op.kind).multiply_adds
    return Cost(
        count(operands, results[0]) if count else 0,
        _bytes(tensor for tensor in operands if tensor.storage),
        _bytes(tensor for tensor in (*operands, *results) if not tensor.storage),
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum((tensor.size * BITS.get(tensor.dtype, 0) + 7) // 8 for tensor in tensors)
