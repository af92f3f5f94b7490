"""Convolutions: ordinary and grouped, depthwise, separable."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from converter.ops.forms import PAIRS, Emission, OpView, Part, Shape, Step, View, Weight, biased
from converter.ops.forms.layouts import CONV_OHWI_TO_HWIO, SAME, depthwise_1hwo_to_hwim
from converter.ops.forms.padding import positions
from converter.ops.records import Kind, Layer, Operator, record
from converter.tflite.model import Tensor


def conv_2d(op: OpView) -> list[Step]:
    """Inputs: x [N,H,W,C], kernel OHWI, bias [O]. Fewer kernel than input channels means groups."""
    x, kernel = op.computed(0, rank=4), op.weight(1, rank=4)
    filters, height, width, channels = kernel.shape
    if channels < 1 or not x.shape[3] or x.shape[3] % channels or filters % (x.shape[3] // channels):
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit {x.shape[3]} input channels")
    config = {"filters": filters, "kernel_size": (height, width)}
    if x.shape[3] != channels:
        config["groups"] = x.shape[3] // channels
    return _strided(op, "Conv2D", config, Weight(kernel.index, CONV_OHWI_TO_HWIO))


def depthwise_conv_2d(op: OpView) -> list[Step]:
    """Inputs: x [N,H,W,C], kernel 1HW(C·M), bias [C·M] or none; the multiplier M follows from the shapes."""
    x, kernel = op.computed(0, rank=4), op.weight(1, rank=4)
    _, height, width, outputs = kernel.shape
    if not x.shape[3] or outputs % x.shape[3] or kernel.shape[0] != 1:
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit {x.shape[3]} input channels")
    multiplier = outputs // x.shape[3]
    config = {"kernel_size": (height, width), "depth_multiplier": multiplier}
    weight = Weight(kernel.index, depthwise_1hwo_to_hwim(kernel.shape, multiplier))
    return _strided(op, "DepthwiseConv2D", config, weight)


def _strided(op: OpView, layer: str, config: dict[str, Any], kernel: Weight) -> list[Step]:
    """Add what both kinds have: strides, padding, dilation, bias, activation."""
    strides, dilation, bias = op.pair("stride"), op.pair("dilation"), op.bias(2)
    weights = {"kernel": kernel} | ({"bias": Weight(bias.index, SAME)} if bias else {})
    config = config | {"use_bias": bias is not None, "activation": op.fused}
    uneven = layer == "DepthwiseConv2D" and strides[0] != strides[1]
    if not uneven and (max(strides) == 1 or max(dilation) == 1):
        config |= {"strides": strides, "padding": op.padding}
        if max(dilation) > 1:
            config["dilation_rate"] = dilation
        return [Step(layer, config, weights)]
    # Keras refuses strides together with dilation, and TensorFlow uneven depthwise strides. The same result:
    # pad as the strided layer would, compute every position, keep every s-th.
    pads = op.pads(config["kernel_size"], strides, dilation)
    config |= {"strides": (1, 1), "padding": "valid", "dilation_rate": dilation}
    size, channels = op.output.shape[1:], op.computed().shape[3]
    padded = [n + sum(pad) for n, pad in zip(op.computed().shape[1:3], pads, strict=True)]
    dense = [n - (k - 1) * d for n, k, d in zip(padded, config["kernel_size"], dilation, strict=True)]
    return [
        *([Step("ZeroPadding2D", {"padding": pads}, shape=(*padded, channels))] if any(map(any, pads)) else []),
        Step(layer, config, weights, shape=(*dense, size[-1])),
        Step("StridedSlice", {"begin": (0, 0, 0), "size": size, "strides": (*strides, 1)}),
    ]


# A convolution that looks at one pixel at a time.
POINTWISE: Mapping[str, Any] = {
    "kernel_size": (1, 1),
    "strides": (1, 1),
    "dilation_rate": (1, 1),
    "groups": 1,
    "padding": ((0, 0), (0, 0)),
}


def _part(view: View, kind: str, extra: Mapping[str, Any], kernel: str = "kernel") -> Part:
    size, strides, dilation = view.pair("kernel_size"), view.pair("strides"), view.pair("dilation_rate")
    config = {"kernel_size": size, "strides": strides, "dilation_rate": dilation, **extra}
    return Part(kind, config | {"padding": view.pads(size, strides, dilation)}, biased(view, kernel))


def _multiplier(view: View) -> dict[str, Any]:
    return {"depth_multiplier": view.config.get("depth_multiplier", 1)}


def _conv(view: View) -> list[Part]:
    """With a group for every channel it is a depthwise one, which keeps a channel's filters in an axis of their own."""
    groups, filters = view.config.get("groups", 1), view.config.get("filters")
    if groups == 1 or groups != view.inputs[0][-1]:
        return [_part(view, "conv", {"groups": groups})]
    part = _part(view, "depthwise", {"depth_multiplier": filters // groups})
    return [replace(part, shapes={"kernel": (*part.config["kernel_size"], groups, filters // groups)})]


def _separable(view: View) -> list[Part]:
    depthwise = _part(view, "depthwise", _multiplier(view))
    channels = (view.inputs[0][-1] or 0) * depthwise.config["depth_multiplier"]
    return [
        Part("depthwise", depthwise.config, {"kernel": "depthwise_kernel"}, channels or None),
        Part("conv", POINTWISE, biased(view, "pointwise_kernel")),
    ]


def _emit_conv(e: Emission) -> None:
    height, width, channels, filters = e.weights["kernel"].shape
    x, options = e.window("kernel_size")
    kernel = e.weight("kernel", CONV_OHWI_TO_HWIO.to_tflite(e.weights["kernel"], (filters, height, width, channels)))
    e.op("CONV_2D", x, kernel, e.bias(filters), **options, **_dilation(e))


def _emit_depthwise(e: Emission) -> None:
    height, width, channels, multiplier = e.weights["kernel"].shape
    x, options = e.window("kernel_size")
    outputs = channels * multiplier
    kernel = e.weight("kernel", e.weights["kernel"].reshape(1, height, width, outputs))
    options |= {"depth_multiplier": multiplier} | _dilation(e)
    version = 1 if max(e.config["dilation_rate"]) == 1 else 2
    e.op("DEPTHWISE_CONV_2D", x, kernel, e.bias(outputs), version=version, **options)


def _dilation(e: Emission) -> dict[str, int]:
    return dict(zip(PAIRS["dilation"], e.config["dilation_rate"], strict=True))


def _multiply_adds(operands: Sequence[Tensor], result: Tensor) -> int:
    """Every number of the kernel, OHWI or 1HWC, is used once at each place of the result."""
    return prod(result.shape[:-1]) * operands[1].size


def _shapes(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    (*extents, channels) = shapes[0]
    filters = config["filters"] if "filters" in config else channels and channels * config["depth_multiplier"]
    return [(*positions(config, "kernel_size", extents, config.get("dilation_rate", (1, 1))), filters)]


record(
    Kind("conv", _emit_conv, lambda node, _: prod(node.weights["kernel"].shape[:-1]), scaled_axes=(-1,)),
    Operator("CONV_2D", conv_2d, "Conv2DOptions", _multiply_adds, takes_activation=True),
    Layer(
        "Conv2D",
        _conv,
        takes_activation=True,
        shapes=_shapes,
        exported_as=("Conv2D", "convolution", "Kernel"),
        any_size=True,
    ),
)
record(
    Kind("depthwise", _emit_depthwise, lambda node, _: prod(node.weights["kernel"].shape[:2]), scaled_axes=(-2, -1)),
    Operator("DEPTHWISE_CONV_2D", depthwise_conv_2d, "DepthwiseConv2DOptions", _multiply_adds, takes_activation=True),
    Layer(
        "DepthwiseConv2D",
        lambda view: [_part(view, "depthwise", _multiplier(view))],
        takes_activation=True,
        initializers={"kernel": "depthwise_initializer"},
        shapes=_shapes,
        exported_as=("depthwise", "separable_conv2d", "Kernel"),
        any_size=True,
        in_head=True,
    ),
    Layer("SeparableConv2D", _separable, takes_activation=True, any_size=True),
)
