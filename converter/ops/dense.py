"""Matrices."""

from collections.abc import Sequence
from math import prod
from typing import Any

from converter.ops.convolution import POINTWISE
from converter.ops.forms import Emission, OpView, Part, Step, View, Weight, biased
from converter.ops.forms.layouts import DENSE_OI_TO_IO, SAME
from converter.ops.records import Kind, Layer, Operator, record
from converter.tflite.model import Tensor


def fully_connected(op: OpView) -> list[Step]:
    """Inputs: x, kernel OI, bias [O] or none. Without `keep_num_dims` x is flattened to [N,I] first."""
    x, kernel, bias = op.computed(0), op.weight(1, rank=2), op.bias(2)
    if op.option("weights_format") != 0:
        raise op.unsupported("shuffled weights are for one quantized kernel only")
    units, channels = kernel.shape
    is_flattened = not op.option("keep_num_dims") and len(x.shape) != 2
    if channels != (prod(x.shape[1:]) if is_flattened else x.shape[-1]):
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit an input of shape {x.shape}")
    weights = {"kernel": Weight(kernel.index, DENSE_OI_TO_IO)}
    if bias:
        weights["bias"] = Weight(bias.index, SAME)
    dense = Step("Dense", {"units": units, "use_bias": bias is not None, "activation": op.fused}, weights)
    op.keeps_batch()
    return [Step("Reshape", {"target_shape": (channels,)}, shape=(channels,)), dense] if is_flattened else [dense]


def _parts(view: View) -> list[Part]:
    """Over the channels of a picture it is a convolution that looks at one pixel at a time."""
    units, (*places, channels) = view.config["units"], view.inputs[0]
    if len(places) != 2 or channels is None:
        return [Part("dense", {"units": units}, biased(view))]
    return [Part("conv", POINTWISE, biased(view), shapes={"kernel": (1, 1, channels, units)})]


def _emit(e: Emission) -> None:
    channels, units = e.weights["kernel"].shape
    kernel = e.weight("kernel", DENSE_OI_TO_IO.to_tflite(e.weights["kernel"], (units, channels)))
    options: dict[str, Any] = {"version": 5, "keep_num_dims": True} if len(e.shapes[0]) > 1 else {}
    e.op("FULLY_CONNECTED", e.inputs[0], kernel, e.bias(units), **options)


def _inner_extent(operands: Sequence[Tensor], result: Tensor) -> int:
    """The inner extent is the left one's last (as long as it is not transposed, which exporters do to the right)."""
    return result.size * operands[0].shape[-1]


def _multiply_adds(operands: Sequence[Tensor], result: Tensor) -> int:
    """Kernel OI."""
    return result.size * operands[1].shape[-1]


record(
    Kind("dense", _emit, lambda node, _: prod(node.weights["kernel"].shape[:-1]), scaled_axes=(-1,)),
    Operator("FULLY_CONNECTED", fully_connected, "FullyConnectedOptions", _multiply_adds, takes_activation=True),
    Layer(
        "Dense",
        _parts,
        takes_activation=True,
        shapes=lambda config, shapes: [(*shapes[0][:-1], config["units"])],
        exported_as=("MatMul", "Tensordot", "Kernel"),
    ),
)
record(
    None,
    Operator("BATCH_MATMUL", multiply_adds=_inner_extent, one_way="no file has needed it yet: only its cost is known"),
)
