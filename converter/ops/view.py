"""What the function of an operator sees: operands and options in Keras's terms, with errors that name the op."""

from dataclasses import dataclass
from typing import Any

from converter.errors import MalformedModel, UnsupportedOp
from converter.ops.steps import Step
from converter.tflite.model import Graph, Op, Tensor

# TFLite's fused activations as Keras spells them; each is exactly the same function. The schema has TANH and
# SIGN_BIT as well, but LiteRT's float kernels compute without them: nobody knows which result was meant.
FUSED = {"NONE": None, "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "hard_tanh"}


@dataclass(frozen=True, slots=True)
class OpView:
    """One operator together with its graph."""

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

    def pair(self, name: str) -> tuple[int, int]:
        """(height, width) of a stride, filter or dilation."""
        names = {"stride": "stride_{}", "filter": "filter_{}", "dilation": "dilation_{}_factor"}
        axes = ("height", "width") if name == "filter" else ("h", "w")
        height, width = (int(self.option(names[name].format(axis))) for axis in axes)
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

    def pads(
        self, window: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int] = (1, 1)
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """((top, bottom), (left, right)): how many pixels the op adds around its first input.

        TensorFlow's SAME has ceil(size / stride) output positions; the odd pixel of padding goes last.
        """
        pads = []
        for extent, k, s, d in zip(self.computed(0, rank=4).shape[1:3], window, strides, dilation, strict=True):
            total = max((-(-extent // s) - 1) * s + (k - 1) * d + 1 - extent, 0) if self.padding == "same" else 0
            pads.append((total // 2, total - total // 2))
        return pads[0], pads[1]

    @property
    def fused(self) -> str | None:
        """The fused activation as a Keras activation's name, or None."""
        name = self.option("fused_activation_function")
        if name not in FUSED:
            raise self.unsupported(f"fused activation {name}, which LiteRT's own float kernels leave out")
        return FUSED[name]

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
