"""Layers with kernels: convolutions and the fully connected layer."""

from typing import Any

from converter.ops.layouts import (
    CONV_OHWI_TO_HWIO,
    DENSE_OI_TO_IO,
    SAME,
    TRANSPOSE_CONV_OHWI_TO_HWOI,
    depthwise_1hwo_to_hwim,
)
from converter.ops.registry import OPS
from converter.ops.steps import Step, Weight
from converter.ops.view import OpView
from converter.tflite.model import Tensor

Pair = tuple[int, int]


@OPS.register("CONV_2D")
def conv_2d(op: OpView) -> list[Step]:
    """Inputs: x [N,H,W,C], kernel OHWI, bias [O]. Fewer kernel than input channels means groups."""
    x, kernel = op.computed(0, rank=4), op.weight(1, rank=4)
    filters, height, width, channels = kernel.shape
    if channels < 1 or x.shape[3] % channels or filters % (x.shape[3] // channels):
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit {x.shape[3]} input channels")
    config = {"filters": filters, "kernel_size": (height, width)}
    if x.shape[3] != channels:
        config["groups"] = x.shape[3] // channels
    weights = {"kernel": Weight(kernel.index, CONV_OHWI_TO_HWIO)}
    return _strided(op, "Conv2D", config, weights, op.optional_weight(2))


@OPS.register("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(op: OpView) -> list[Step]:
    """Inputs: x [N,H,W,C], kernel 1HW(C·M), bias [C·M] or none; the multiplier M follows from the shapes."""
    x, kernel = op.computed(0, rank=4), op.weight(1, rank=4)
    _, height, width, outputs = kernel.shape
    if not x.shape[3] or outputs % x.shape[3] or kernel.shape[0] != 1:
        raise op.unsupported(f"a kernel of shape {kernel.shape} does not fit {x.shape[3]} input channels")
    multiplier = outputs // x.shape[3]
    config = {"kernel_size": (height, width), "depth_multiplier": multiplier}
    weights = {"kernel": Weight(kernel.index, depthwise_1hwo_to_hwim(kernel.shape, multiplier))}
    return _strided(op, "DepthwiseConv2D", config, weights, op.optional_weight(2))


def _strided(
    op: OpView, layer: str, config: dict[str, Any], weights: dict[str, Weight], bias: Tensor | None
) -> list[Step]:
    """Add what both kinds have: strides, padding, dilation, bias, activation."""
    strides, dilation = op.pair("stride"), op.pair("dilation")
    if bias:
        weights = weights | {"bias": Weight(bias.index, SAME)}
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
    size = op.output.shape[1:]
    return [
        *([Step("ZeroPadding2D", {"padding": pads})] if any(map(any, pads)) else []),
        Step(layer, config, weights),
        Step("StridedSlice", {"begin": (0, 0, 0), "size": size, "strides": (*strides, 1)}),
    ]


@OPS.register("TRANSPOSE_CONV")
def transpose_conv(op: OpView) -> list[Step]:
    """Inputs: output shape, kernel OHWI, x [N,H,W,I], bias [O] or none."""
    x, kernel, bias = op.computed(2, rank=4), op.weight(1, rank=4), op.optional_weight(3)
    strides = op.pair("stride")
    out = op.output.shape[1:3]
    crops = []
    for extent, k, s, o in zip(x.shape[1:3], kernel.shape[1:3], strides, out, strict=True):
        # TFLite's SAME is the forward convolution's: half of what that would pad is cut off in front.
        crops.append(max((extent - 1) * s + k - o, 0) // 2 if op.padding == "same" else 0)
    activation = op.fused if "fused_activation_function" in op.op.options else None
    return transposed(op, 2, strides, (crops[0], crops[1]), Kernel(kernel, bias, activation))


class Kernel:
    """What a transposed convolution multiplies with and applies."""

    def __init__(self, kernel_ohwi: Tensor, bias: Tensor | None, activation: str | None) -> None:
        self.kernel_ohwi, self.bias, self.activation = kernel_ohwi, bias, activation


def transposed(op: OpView, position: int, strides: Pair, crop: Pair, kernel: Kernel) -> list[Step]:
    """Transposed convolution of input `position`: everything that any kernel touches, then cropped to size.

    Keras's own `same` puts the odd pixel elsewhere on some back ends, so only `valid` is used.

    Args:
        op: The operator; its output's shape is what is cropped to.
        position: Which input is convolved.
        strides: (height, width).
        crop: Rows and columns to cut off in front.
        kernel: The kernel, bias and activation.
    """
    x, size = op.computed(position, rank=4), kernel.kernel_ohwi.shape[1:3]
    filters = kernel.kernel_ohwi.shape[0]
    crops = []
    for axis in range(2):
        full = (x.shape[axis + 1] - 1) * strides[axis] + max(size[axis], strides[axis])
        crops.append((crop[axis], full - crop[axis] - op.output.shape[axis + 1]))
    if min(map(min, crops)) < 0:
        raise op.unsupported(f"its output of shape {op.output.shape} reaches beyond what the kernel covers")
    weights = {"kernel": Weight(kernel.kernel_ohwi.index, TRANSPOSE_CONV_OHWI_TO_HWOI)}
    if kernel.bias:
        weights["bias"] = Weight(kernel.bias.index, SAME)
    config = {
        "filters": filters,
        "kernel_size": size,
        "strides": strides,
        "padding": "valid",
        "use_bias": kernel.bias is not None,
        "activation": kernel.activation,
    }
    index = op.op.inputs[position]
    cropping = [Step("Cropping2D", {"cropping": tuple(crops)})] if any(map(any, crops)) else []
    return [Step("Conv2DTranspose", config, weights, inputs=(index,)), *cropping]


@OPS.register("FULLY_CONNECTED")
def fully_connected(op: OpView) -> list[Step]:
    """Inputs: x, kernel OI, bias [O] or none. Without `keep_num_dims` x is flattened to [N,I] first."""
    x, kernel, bias = op.computed(0), op.weight(1, rank=2), op.optional_weight(2)
    if op.option("weights_format") != 0:
        raise op.unsupported("shuffled weights are for one quantized kernel only")
    units, channels = kernel.shape
    weights = {"kernel": Weight(kernel.index, DENSE_OI_TO_IO)}
    if bias:
        weights["bias"] = Weight(bias.index, SAME)
    dense = Step("Dense", {"units": units, "use_bias": bias is not None, "activation": op.fused}, weights)
    op.keeps_batch()
    if op.option("keep_num_dims") or len(x.shape) == 2:
        return [dense]
    return [Step("Reshape", {"target_shape": (channels,)}), dense]
