"""An operator in the file: operands and options in Keras's terms, and what it means in Keras, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.errors import MalformedModel, UnsupportedOp
from converter.ops import records
from converter.ops.forms.layouts import Layout
from converter.ops.forms.padding import Pair, pixels
from converter.tflite.model import Graph, Op, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a window's extents are called among an operator's options, (height, width); written as they are read.
PAIRS = {
    "stride": ("stride_h", "stride_w"),
    "filter": ("filter_height", "filter_width"),
    "dilation": ("dilation_h_factor", "dilation_w_factor"),
}


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

    def values(self, graph: Graph) -> "NDArray[Any]":
        """The constant in Keras's axis order and C order: a view on the file where that is how it is stored."""
        import numpy as np

        from converter.tflite.decode import decode

        return np.asarray(self.layout.to_keras(decode(graph.tensors[self.tensor])), order="C")


@dataclass(frozen=True, slots=True)
class Step:
    """One Keras layer of an operator's chain, before it has a name.

    Attributes:
        layer: Class name in `keras.layers` or `converter.layers`.
        config: Its constructor's arguments.
        weights: Attribute of the layer → where the value comes from.
        inputs: Operands by index; None is the step before. Empty: the step before, or all computed operands of the op.
        shape: Of its result, without the batch, where it has another than the operator's.
    """

    layer: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    inputs: tuple[int | None, ...] = ()
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class OpView:
    """One operator together with its graph; its errors name the op."""

    op: Op
    graph: Graph

    def unsupported(self, reason: str, hint: str = "") -> UnsupportedOp:
        """An error about this op, to be raised."""
        return UnsupportedOp(f"{self.op}: {reason}", hint)

    def operand(self, position: int) -> Tensor:
        """Input `position`, whatever it is.

        Raises:
            MalformedModel: The op has no such input.
        """
        index = self.op.inputs[position] if position < len(self.op.inputs) else None
        if index is None:
            raise MalformedModel(f"{self.op}: input {position} is missing")
        return self.graph.tensors[index]

    def computed(self, position: int = 0, rank: int | None = None) -> Tensor:
        """Input `position`, which has to be computed or fed, of the given rank."""
        tensor = self.operand(position)
        if tensor.storage is not None:
            raise self.unsupported(f"input {position} ({tensor}) is a constant; a computed value is expected")
        if rank is not None and len(tensor.shape) != rank:
            raise self.unsupported(f"input {position} ({tensor}) has shape {tensor.shape}; {rank} axes are expected")
        return tensor

    def alone(self) -> Tensor:
        """The only input, which has to be computed or fed."""
        if len(self.op.inputs) != 1:
            raise MalformedModel(f"{self.op} has {len(self.op.inputs)} inputs, expected 1")
        return self.computed()

    def constant(self, position: int, rank: int | None = None) -> Tensor:
        """Input `position`, which has to be a constant of the given rank."""
        tensor = self.operand(position)
        if tensor.storage is None:
            raise self.unsupported(f"input {position} ({tensor}) is computed at run time; a constant is expected")
        if rank is not None and len(tensor.shape) != rank:
            raise MalformedModel(f"{self.op}: {tensor} has shape {tensor.shape}; {rank} axes are expected")
        return tensor

    def weight(self, position: int, rank: int | None = None) -> Tensor:
        """As `constant`, and float32."""
        tensor = self.constant(position, rank)
        if tensor.dtype != "FLOAT32":
            raise self.unsupported(f"{tensor} is {tensor.dtype}; a weight has to be float32")
        return tensor

    def optional_weight(self, position: int) -> Tensor | None:
        """As `weight`, or None where the operand is left out."""
        is_there = position < len(self.op.inputs) and self.op.inputs[position] is not None
        return self.weight(position) if is_there else None

    def bias(self, position: int) -> Tensor | None:
        """As `optional_weight`: one number for each channel of the result."""
        bias = self.optional_weight(position)
        if bias and bias.shape != self.output.shape[-1:]:
            raise MalformedModel(f"{self.op}: a bias of shape {bias.shape} does not fit {self.output.shape}")
        return bias

    def axis(self, value: int, rank: int) -> int:
        """An axis that may be counted from the end, counted from the front."""
        if not -rank <= value < rank:
            raise MalformedModel(f"{self.op}: there is no axis {value} among {rank}")
        return value % rank

    @property
    def output(self) -> Tensor:
        """The first output."""
        if not self.op.outputs:
            raise MalformedModel(f"{self.op} has no output")
        return self.graph.tensors[self.op.outputs[0]]

    def option(self, name: str) -> Any:
        """One builtin option; there is no default for what the file does not say."""
        if name not in self.op.options:
            raise MalformedModel(f"{self.op} has no option {name!r}")
        return self.op.options[name]

    def pair(self, name: str) -> Pair:
        """(height, width) of a stride, filter or dilation."""
        height, width = (int(self.option(option)) for option in PAIRS[name])
        if height < 1 or width < 1:
            raise MalformedModel(f"{self.op}: {name} {height}x{width} is not positive")
        return height, width

    @property
    def padding(self) -> str:
        """`same` or `valid`."""
        padding = str(self.option("padding")).lower()
        if padding not in ("same", "valid"):
            raise self.unsupported(f"unknown padding {padding}")
        return padding

    def pads(self, window: Pair, strides: Pair, dilation: Pair = (1, 1)) -> tuple[Pair, Pair]:
        """((top, bottom), (left, right)): how many pixels the op adds around its first input."""
        return pixels(self.padding, self.computed(0, rank=4).shape[1:3], window, strides, dilation)

    @property
    def fused(self) -> str | None:
        """The fused activation as a Keras activation's name, or None.

        The schema has TANH and SIGN_BIT as well, but LiteRT's float kernels compute without them: nobody knows which
        result was meant.
        """
        name = self.option("fused_activation_function")
        if name == "NONE":
            return None
        function = records.operator(name).fused_as
        if not function:
            raise self.unsupported(f"fused activation {name}, which LiteRT's own float kernels leave out")
        return function

    def fused_steps(self) -> list[Step]:
        """The fused activation as a layer of its own, for layers that cannot take one."""
        if self.fused in ("relu", "relu6"):
            return [Step("ReLU", {"max_value": 6.0} if self.fused == "relu6" else {})]
        return [Step("Activation", {"activation": self.fused})] if self.fused else []

    def keeps_batch(self) -> None:
        """Check that the first axis is the same before and after: it is the batch, which Keras leaves free."""
        before, after = self.computed().shape, self.output.shape
        if before[:1] != after[:1] or not after:
            raise self.unsupported(f"it turns shape {before} into {after}, which mixes the batch axis with others")

    def per_sample(self, constant: Tensor, x: Tensor) -> tuple[int, ...]:
        """The constant's shape without the batch axis, which must not carry several values."""
        if len(constant.shape) > len(x.shape):
            raise self.unsupported(f"{constant} of shape {constant.shape} has more axes than {x} of shape {x.shape}")
        if len(constant.shape) < len(x.shape):
            return constant.shape
        if constant.shape[0] != 1:
            raise self.unsupported(f"{constant} of shape {constant.shape} has values along the batch axis")
        return constant.shape[1:]
