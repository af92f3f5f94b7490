"""What a graph costs to run, counted: multiply-adds, and bytes moved. Nothing is run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod

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
        return Cost(
            self.multiply_adds + other.multiply_adds,
            self.weight_bytes + other.weight_bytes,
            self.activation_bytes + other.activation_bytes,
        )

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return {
            "multiply_adds": self.multiply_adds,
            "weight_bytes": self.weight_bytes,
            "activation_bytes": self.activation_bytes,
        }


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
    count = MULTIPLY_ADDS.get(op.kind)
    return Cost(
        count(operands, results[0]) if count else 0,
        _bytes(tensor for tensor in operands if tensor.storage),
        _bytes(tensor for tensor in (*operands, *results) if not tensor.storage),
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum((tensor.size * BITS.get(tensor.dtype, 0) + 7) // 8 for tensor in tensors)


def _convolution(operands: list[Tensor], result: Tensor) -> int:
    """Kernel OHWI: each output is a sum over a window of all channels of its group."""
    return result.size * prod(operands[1].shape[1:])


def _depthwise(operands: list[Tensor], result: Tensor) -> int:
    """Kernel 1HWC: each output is a sum over a window of one channel."""
    return result.size * prod(operands[1].shape[1:3])


def _transposed(operands: list[Tensor], result: Tensor) -> int:
    """Output shape, kernel OHWI, x: each input goes to a window of all output channels."""
    return operands[2].size * prod(operands[1].shape[:3])


def _custom_transposed(operands: list[Tensor], result: Tensor) -> int:
    """As `_transposed`, MediaPipe's order of operands: x, kernel, bias."""
    return operands[0].size * prod(operands[1].shape[:3])


def _dense(operands: list[Tensor], result: Tensor) -> int:
    """Kernel OI."""
    return result.size * operands[1].shape[-1]


def _matrices(operands: list[Tensor], result: Tensor) -> int:
    """The inner extent is the left one's last (as long as it is not transposed, which exporters do to the right)."""
    return result.size * operands[0].shape[-1]


MULTIPLY_ADDS: Mapping[str, Callable[[list[Tensor], Tensor], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "Convolution2DTransposeBias": _custom_transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matrices,
}
