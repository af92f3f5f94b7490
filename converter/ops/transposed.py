"""Transposed convolutions, TFLite's own and MediaPipe's."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from converter.ops.forms import PAIRS, Emission, Node, OpView, Part, Shape, Step, View, Weight, as_pair, biased
from converter.ops.forms.layouts import SAME, TRANSPOSE_CONV_OHWI_TO_HWOI
from converter.ops.forms.padding import Pair, cropped_in_front
from converter.ops.records import Kind, Layer, Operator, record
from converter.ops.shaping import emit_slice
from converter.tflite.model import Tensor


def transpose_conv(op: OpView) -> list[Step]:
    """Inputs: output shape, kernel OHWI, x [N,H,W,I], bias [O] or none."""
    x, kernel, bias = op.computed(2, rank=4), op.weight(1, rank=4), op.bias(3)
    strides = op.pair("stride")
    extents = zip(x.shape[1:3], op.output.shape[1:3], kernel.shape[1:3], strides, strict=True)
    crops = [cropped_in_front(*each) if op.padding == "same" else 0 for each in extents]
    return transposed(op, 2, strides, (crops[0], crops[1]), bias)


def transposed(op: OpView, position: int, strides: Pair, crop: Pair, bias: Tensor | None) -> list[Step]:
    """Transposed convolution of input `position`: everything that any kernel (input 1) touches, then cropped to size.

    Keras's own `same` puts the odd pixel elsewhere on some back ends, so only `valid` is used.

    Args:
        op: The operator; its output's shape is what is cropped to.
        position: Which input is convolved.
        strides: (height, width).
        crop: Rows and columns to cut off in front.
        bias: [O] or none.
    """
    x, kernel = op.computed(position, rank=4), op.weight(1, rank=4)
    filters, *size, channels = kernel.shape
    if channels != x.shape[3]:
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit {x.shape[3]} input channels")
    extents = [(n - 1) * s + max(k, s) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)]
    crops = [(c, n - c - out) for c, n, out in zip(crop, extents, op.output.shape[1:3], strict=True)]
    if min(map(min, crops)) < 0:
        raise op.unsupported(f"its output of shape {op.output.shape} reaches beyond what the kernel covers")
    weights = {"kernel": Weight(kernel.index, TRANSPOSE_CONV_OHWI_TO_HWOI)}
    if bias:
        weights["bias"] = Weight(bias.index, SAME)
    activation = op.fused if "fused_activation_function" in op.op.options else None
    config = {"filters": filters, "kernel_size": tuple(size), "strides": strides, "padding": "valid"}
    config |= {"use_bias": bias is not None, "activation": activation}
    cropping = [Step("Cropping2D", {"cropping": tuple(crops)})] if any(map(any, crops)) else []
    shape = (*extents, filters)
    return [Step("Conv2DTranspose", config, weights, inputs=(op.op.inputs[position],), shape=shape), *cropping]


def _shapes(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    windows = zip(shapes[0][:2], config["kernel_size"], config["strides"], strict=True)
    return [(*(extent and (extent - 1) * s + max(k, s) for extent, k, s in windows), config["filters"])]


def _cropped(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    *extents, channels = shapes[0]
    for extent, crop in zip(extents, config["cropping"], strict=True):
        if extent is not None and extent <= sum(crop):
            raise ValueError(f"of {extent} nothing is left when {crop} are cut off")
    crops = zip(extents, config["cropping"], strict=True)
    return [(*(extent and extent - sum(crop) for extent, crop in crops), channels)]


def _parts(view: View) -> list[Part]:
    size, strides = view.pair("kernel_size"), view.pair("strides")
    crops = []
    for before, after, k, s in zip(view.inputs[0][:2], view.outputs[0][:2], size, strides, strict=True):
        full = ((before or 1) - 1) * s + max(k, s)
        total = full - (after or full)
        crops.append((total // 2, total - total // 2))
    config: dict[str, Any] = {"kernel_size": size, "strides": strides, "cropping": tuple(crops)}
    if view.pair("dilation_rate") != (1, 1):
        config["dilation_rate"] = view.pair("dilation_rate")
    if view.config.get("output_padding") is not None:  # then what is cropped in front is another share
        config["output_padding"] = view.pair("output_padding")
    return [Part("conv_transpose", config, biased(view))]


def _cropping(view: View) -> list[Part]:
    given = view.config["cropping"]
    crops = (given, given) if isinstance(given, int) else given
    return [Part("cropping", {"cropping": (as_pair(crops[0]), as_pair(crops[1]))})]


def _emit(e: Emission) -> None:
    e.takes("kernel_size", "strides", "cropping", "batch_norm", "epsilon")
    height, width, filters, channels = e.weights["kernel"].shape
    strides, crops = e.config["strides"], e.config["cropping"]
    sizes = zip(e.shapes[0], e.shape, (height, width), strides, strict=False)
    extents = [(before or 0, after or 0, size, stride) for before, after, size, stride in sizes]
    first = [crop[0] for crop in crops]
    is_same = first == [cropped_in_front(*each) for each in extents] and all(-(-o // s) == i for i, o, _, s in extents)
    if not is_same and any(first):
        raise e.unknown(f"that crops {crops}")
    shape = (filters, height, width, channels)
    kernel = e.weight("kernel", TRANSPOSE_CONV_OHWI_TO_HWOI.to_tflite(e.weights["kernel"], shape))
    options = dict(zip(PAIRS["stride"], strides, strict=True)) | {"padding": "SAME" if is_same else "VALID"}
    size = e.ints((1, *e.shape), "output_shape")
    e.op("TRANSPOSE_CONV", size, kernel, e.inputs[0], e.bias(filters), version=3, **options)


def _emit_cropping(e: Emission) -> None:
    crops = (*e.config["cropping"], *((0, 0),) * (len(e.shape) - 2))
    begin = [crop[0] for crop in crops]
    emit_slice(e, begin, [b + int(n or 0) for b, n in zip(begin, e.shape, strict=True)], [1] * len(begin))


def _terms(node: Node, _: object) -> int:
    height, width, _filters, channels = node.weights["kernel"].shape
    return height * width * channels


record(
    Kind("conv_transpose", _emit, _terms, scaled_axes=(-2,)),
    Operator(
        "TRANSPOSE_CONV",
        transpose_conv,
        "TransposeConvOptions",
        # Each input goes to a window (of the kernel, OHWI) of all output channels.
        lambda operands, _: operands[2].size * prod(operands[1].shape[:3]),
        states_size=True,
    ),
    Layer(
        "Conv2DTranspose",
        _parts,
        takes_activation=True,
        shapes=_shapes,
        exported_as=("conv2d_transpose", "Kernel"),
        any_size=True,
    ),
)
record(Kind("cropping", _emit_cropping), Layer("Cropping2D", _cropping, shapes=_cropped, any_size=True))
