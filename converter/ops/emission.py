"""Keras layers as TFLite operators, for what the original file does not have: the way back from `converter.ops`.

One function per kind of `converter.ops.form`. It gets an `Emission` and adds operators that end in the given
result; a kind without a function here has to go through Keras's own export.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import CannotExport
from converter.ops.form import pads_of
from converter.ops.layouts import CONV_OHWI_TO_HWIO, DENSE_OI_TO_IO, TRANSPOSE_CONV_OHWI_TO_HWOI
from converter.ops.node import Node, Shape
from converter.tflite.assembly import Assembly

SAME, VALID = 0, 1
PADDINGS = {"same": SAME, "valid": VALID}
ACTIVATIONS = {
    "relu": "RELU",
    "relu6": "RELU6",
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "hard_silu": "HARD_SWISH",
    "elu": "ELU",
    "gelu": "GELU",
}


class UnknownLayer(CannotExport):
    """A layer that no operator is known for here."""


@dataclass
class Emission:
    """One node on its way into the file.

    Attributes:
        node: What is to be written.
        weights: Attribute → array in Keras's axis order, batch normalization folded in.
        inputs: Operands.
        output: Where the result goes.
        shapes: Of the operands, without the batch.
        shape: Of the result, without the batch.
        dtype: How weights are stored.
        places: Attribute → a constant of the file that nobody reads any more, for the weight to be stored in.
        made: Operators, in order.
    """

    file: Assembly
    node: Node
    weights: Mapping[str, NDArray[np.float32]]
    inputs: Sequence[int]
    output: int
    shapes: Sequence[Shape]
    shape: Shape
    dtype: Any
    places: Mapping[str, int] = field(default_factory=dict)
    made: list[Any] = field(default_factory=list)

    @property
    def config(self) -> Mapping[str, Any]:
        """The node's settings."""
        return self.node.config

    def op(self, kind: str, *operands: int, version: int = 1, **options: Any) -> None:
        """Add the operator that gives the result."""
        self.made.append(self.file.operator(kind, operands, self.output, version, **options))

    def weight(self, attribute: str, values: NDArray[np.float32] | None = None) -> int:
        """Add a weight; `values` are in the file's axis order."""
        given = self.weights[attribute] if values is None else values
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(given).astype(self.dtype)
        if not np.isfinite(stored).all():
            raise CannotExport(f"{self.node.name}: its {attribute} does not fit {np.dtype(self.dtype).name}")
        return self.file.weight(stored, f"{self.node.name}/{attribute}", self.places.get(attribute))

    def bias(self, channels: int) -> int:
        """The bias; zeros where the layer has none, since some kernels want one."""
        return self.weight("bias", self.weights.get("bias", np.zeros(channels, np.float32)))

    def ints(self, values: Any, name: str) -> int:
        """Add integers: a shape, axes."""
        return self.file.constant(np.array(values, np.int32), f"{self.node.name}/{name}")

    def between(self, kind: str, shape: Sequence[int | None], *operands: int, **options: Any) -> int:
        """Add an operator before the last one; gives its result."""
        made = self.file.tensor((1, *(int(n or 0) for n in shape)), f"{self.node.name}/{kind.lower()}")
        self.made.append(self.file.operator(kind, operands, made, **options))
        return made

    def takes(self, *settings: str) -> None:
        """Refuse settings that the operator has no equivalent for."""
        for name in self.config.keys() - set(settings):
            raise self.unknown(f"with {name} {self.config[name]}")

    def unknown(self, why: str = "") -> UnknownLayer:
        """To be raised for what no operator is known for."""
        return UnknownLayer(f"{self.node.name}: no TFLite operator is known here for {self.node.kind} {why}".rstrip())


Emitter = Callable[[Emission], None]
EMITTERS: dict[str, Emitter] = {}


def emits(*kinds: str) -> Callable[[Emitter], Emitter]:
    """Decorate the function that writes these kinds of node."""

    def claim(function: Emitter) -> Emitter:
        EMITTERS.update(dict.fromkeys(kinds, function))
        return function

    return claim


def emit(emission: Emission) -> list[Any]:
    """The operators of a node, in order.

    Raises:
        UnknownLayer: None is known.
    """
    if emission.node.kind not in EMITTERS or len(emission.node.outputs) != 1:
        raise emission.unknown()
    EMITTERS[emission.node.kind](emission)
    return emission.made


def _window(e: Emission, size: str, *, pads_apart: bool = True) -> tuple[int, dict[str, int]]:
    """The operand, padded if no mode of padding comes to the same; padding and strides as options."""
    strides, pads = e.config["strides"], e.config["padding"]
    options = {"strideH": strides[0], "strideW": strides[1]}
    for mode in ("valid", "same"):
        if pads == pads_of(mode, e.shapes[0], e.config[size], strides, e.config.get("dilation_rate", (1, 1))):
            return e.inputs[0], options | {"padding": PADDINGS[mode]}
    if not pads_apart:
        raise e.unknown(f"with padding {pads}")
    extents = [(n or 0) + sum(pad) for n, pad in zip(e.shapes[0][:2], pads, strict=True)]
    x = e.between("PAD", (*extents, e.shapes[0][2]), e.inputs[0], e.ints(((0, 0), *pads, (0, 0)), "paddings"))
    return x, options | {"padding": VALID}


@emits("conv")
def _conv(e: Emission) -> None:
    kernel_hwio = e.weights["kernel"]
    height, width, channels, filters = kernel_hwio.shape
    x, options = _window(e, "kernel_size")
    dilation = e.config["dilation_rate"]
    kernel = e.weight("kernel", CONV_OHWI_TO_HWIO.to_tflite(kernel_hwio, (filters, height, width, channels)))
    e.op("CONV_2D", x, kernel, e.bias(filters), dilationHFactor=dilation[0], dilationWFactor=dilation[1], **options)


@emits("depthwise")
def _depthwise(e: Emission) -> None:
    height, width, channels, multiplier = e.weights["kernel"].shape
    x, options = _window(e, "kernel_size")
    dilation = e.config["dilation_rate"]
    kernel = e.weight("kernel", e.weights["kernel"].reshape(1, height, width, channels * multiplier))
    options |= {"depthMultiplier": multiplier, "dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    version = 1 if max(dilation) == 1 else 2
    e.op("DEPTHWISE_CONV_2D", x, kernel, e.bias(channels * multiplier), version=version, **options)


@emits("conv_transpose")
def _conv_transpose(e: Emission) -> None:
    e.takes("kernel_size", "strides", "cropping", "batch_norm", "epsilon")
    height, width, filters, channels = e.weights["kernel"].shape
    strides, crops = e.config["strides"], e.config["cropping"]
    extents = list(zip(e.shapes[0], e.shape, strides, (height, width), strict=False))
    # TFLite's own padding, from the shape of the result: half of what the forward convolution would pad.
    same = [max((i - 1) * s + k - o, 0) // 2 for i, o, s, k in extents]  # type: ignore[operator]
    first = [crop[0] for crop in crops]
    is_same = first == same and all(-(-o // s) == i for i, o, s, _ in extents)  # type: ignore[operator]
    if not is_same and any(first):
        raise e.unknown(f"that crops {crops}")
    shape = (filters, height, width, channels)
    kernel = e.weight("kernel", TRANSPOSE_CONV_OHWI_TO_HWOI.to_tflite(e.weights["kernel"], shape))
    size = e.ints((1, *e.shape), "output_shape")
    padding = SAME if is_same else VALID
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    e.op("TRANSPOSE_CONV", size, kernel, e.inputs[0], e.bias(filters), version=3, **options)


@emits("dense")
def _dense(e: Emission) -> None:
    channels, units = e.weights["kernel"].shape
    kernel = e.weight("kernel", DENSE_OI_TO_IO.to_tflite(e.weights["kernel"], (units, channels)))
    has_more = len(e.shapes[0]) > 1
    options: dict[str, Any] = {"version": 5, "keepNumDims": True} if has_more else {}
    e.op("FULLY_CONNECTED", e.inputs[0], kernel, e.bias(units), **options)


@emits("max_pool", "average_pool")
def _pool(e: Emission) -> None:
    x, options = _window(e, "pool_size", pads_apart=False)
    height, width = e.config["pool_size"]
    kind = "MAX_POOL_2D" if e.node.kind == "max_pool" else "AVERAGE_POOL_2D"
    e.op(kind, x, filterHeight=height, filterWidth=width, **options)


@emits("mean")
def _mean(e: Emission) -> None:
    e.op("MEAN", e.inputs[0], e.ints(e.config["axis"], "axis"), keepDims=e.config["keepdims"])


@emits("add", "multiply")
def _binary(e: Emission) -> None:
    kind = "ADD" if e.node.kind == "add" else "MUL"
    first, *others = e.inputs if len(e.inputs) > 1 else (*e.inputs, _number(e))
    for operand in others[:-1]:
        first = e.between(kind, e.shape, first, operand)
    e.op(kind, first, others[-1])


def _number(e: Emission) -> int:
    """The number or array that a value is added to or multiplied with: `x * 2.0`."""
    given = [arg for arg in e.node.origin.args if isinstance(arg, (int, float, np.ndarray, np.generic))]
    if len(e.inputs) != 1 or len(given) != 1:
        raise e.unknown(f"of {len(e.inputs)} computed operands")
    return e.weight("value", np.asarray(given[0], np.float32))


@emits("Scale", "Offset")
def _constant(e: Emission) -> None:
    e.op("MUL" if e.node.kind == "Scale" else "ADD", e.inputs[0], e.weight("value"))


@emits("batch_norm")
def _batch_norm(e: Emission) -> None:
    if e.config["axis"] != -1:
        raise e.unknown(f"over axis {e.config['axis']}")
    scaled = e.between("MUL", e.shape, e.inputs[0], e.weight("scale"))
    e.op("ADD", scaled, e.weight("shift"))


@emits("concatenate")
def _concatenate(e: Emission) -> None:
    e.op("CONCATENATION", *e.inputs, axis=e.config["axis"])


@emits("reshape")
def _reshape(e: Emission) -> None:
    shape = np.array((1, *e.shape), np.int32)
    e.op("RESHAPE", e.inputs[0], e.ints(shape, "shape"), newShape=shape)


@emits("permute")
def _permute(e: Emission) -> None:
    e.op("TRANSPOSE", e.inputs[0], e.ints((0, *e.config["dims"]), "perm"))


@emits("pad")
def _pad(e: Emission) -> None:
    e.takes("paddings")
    e.op("PAD", e.inputs[0], e.ints(((0, 0), *e.config["paddings"]), "paddings"))


@emits("cropping")
def _cropping(e: Emission) -> None:
    crops = (*e.config["cropping"], *((0, 0),) * (len(e.shape) - 2))
    begin = [crop[0] for crop in crops]
    _slice(e, begin, [b + int(n or 0) for b, n in zip(begin, e.shape, strict=True)], [1] * len(begin))


@emits("StridedSlice")
def _strided_slice(e: Emission) -> None:
    begin, strides = e.config["begin"], e.config["strides"]
    if min(strides) < 0:
        raise e.unknown("backwards")
    end = [b + (n - 1) * s + 1 for b, n, s in zip(begin, e.config["size"], strides, strict=True)]
    _slice(e, begin, end, strides)


def _slice(e: Emission, begin: Sequence[int], end: Sequence[int], strides: Sequence[int]) -> None:
    rows = [e.ints(*row) for row in (((0, *begin), "begin"), ((1, *end), "end"), ((1, *strides), "strides"))]
    e.op("STRIDED_SLICE", e.inputs[0], *rows)


@emits("resize")
def _resize(e: Emission) -> None:
    kinds = {"bilinear": "RESIZE_BILINEAR", "nearest": "RESIZE_NEAREST_NEIGHBOR"}
    if e.config["interpolation"] not in kinds:
        raise e.unknown(f"of {e.config['interpolation']}")
    e.takes("interpolation", "size", "half_pixel_centers", "align_corners")
    half = bool(e.config["half_pixel_centers"])
    options = {"halfPixelCenters": half, "alignCorners": bool(e.config["align_corners"])}
    size = e.ints(e.config["size"], "size")
    e.op(kinds[e.config["interpolation"]], e.inputs[0], size, version=3 if half else 1, **options)


@emits("DepthToSpace", "SpaceToDepth")
def _blocks(e: Emission) -> None:
    kind = "DEPTH_TO_SPACE" if e.node.kind == "DepthToSpace" else "SPACE_TO_DEPTH"
    e.op(kind, e.inputs[0], blockSize=e.config["block_size"])


@emits("prelu")
def _prelu(e: Emission) -> None:
    e.op("PRELU", e.inputs[0], e.weight("alpha"))


@emits("activation")
def _activation(e: Emission) -> None:
    name = e.config["function"]
    if name == "softmax":
        e.op("SOFTMAX", e.inputs[0], beta=1.0)
    elif name.startswith("leaky_relu(") and name.endswith(")"):
        e.op("LEAKY_RELU", e.inputs[0], alpha=float(name[11:-1]))
    elif name in ACTIVATIONS:
        e.op(ACTIVATIONS[name], e.inputs[0])
    else:
        raise e.unknown(name)
