"""One tiny graph per behaviour of an operator; every extent differs, every option that changes the result appears.

`CASES` has an entry per operator of the registry: a new operator without a case fails a test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.builder import Builder, one

SAME, VALID = 0, 1
NAMES = ("same", "valid")
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A file, and a name for the test's id."""

    name: str
    data: bytes


def floats(*shape: int) -> Array:
    """Random float32 in [-1, 1); the shape alone says which, so that a new case changes no other."""
    return np.random.default_rng((len(shape), *shape)).uniform(-1, 1, shape).astype(np.float32)


def ints(*values: int) -> Array:
    """An int32 constant."""
    return np.array(values, np.int32)


def out(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Output extent of a window operation."""
    covered = 0 if padding == SAME else (kernel - 1) * dilation
    return -(-(size - covered) // stride)


def two(kind: str, left: Shape, right: Shape, result: Shape, **options: Any) -> bytes:
    """A graph of one op with two inputs."""
    graph = Builder()
    operands = [graph.input(left, "a"), graph.input(right, "b")]
    return graph.build(graph.op(kind, operands, [result], **options))


def window(padding: int, stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    """The options of a convolution."""
    (sh, sw), (dh, dw) = stride, dilation
    return {"padding": padding, "strideH": sh, "strideW": sw, "dilationHFactor": dh, "dilationWFactor": dw}


def conv_2d() -> Iterator[Case]:
    """Padding × stride × dilation, activations, groups."""
    for padding, stride, dilation in product((SAME, VALID), ((1, 1), (2, 1), (2, 3)), ((1, 1), (2, 3))):
        (sh, sw), (dh, dw) = stride, dilation
        shape = (1, out(9, 3, sh, padding, dh), out(14, 4, sw, padding, dw), 5)
        options = window(padding, stride, dilation) | {"fusedActivationFunction": RELU6 if dh > 1 else NONE}
        data = one("CONV_2D", (1, 9, 14, 2), shape, floats(5, 3, 4, 2), floats(5), **options)
        yield Case(f"{NAMES[padding]}-stride{sh}{sw}-dilation{dh}{dw}", data)
    plain = window(SAME, (1, 1))
    for activation in (RELU, RELU_N1_TO_1):
        options = plain | {"fusedActivationFunction": activation}
        data = one("CONV_2D", (1, 5, 4, 3), (1, 5, 4, 6), floats(6, 2, 3, 3), floats(6), **options)
        yield Case(f"activation{activation}", data)
    for name, channels in (("groups", 2), ("groups-of-one", 1)):
        data = one("CONV_2D", (1, 5, 4, 6), (1, 5, 4, 12), floats(12, 2, 3, channels), floats(12), **plain)
        yield Case(name, data)


def depthwise_conv_2d() -> Iterator[Case]:
    """Padding × stride × dilation × multiplier."""
    for padding, stride, dilation, m in product((SAME, VALID), ((1, 1), (2, 2), (1, 2)), ((1, 1), (2, 3)), (1, 3)):
        (sh, sw), (dh, dw) = stride, dilation
        shape = (1, out(9, 3, sh, padding, dh), out(14, 4, sw, padding, dw), 2 * m)
        options = window(padding, stride, dilation) | {"depthMultiplier": m, "fusedActivationFunction": RELU}
        data = one("DEPTHWISE_CONV_2D", (1, 9, 14, 2), shape, floats(1, 3, 4, 2 * m), floats(2 * m), **options)
        yield Case(f"{NAMES[padding]}-stride{sh}{sw}-dilation{dh}{dw}-multiplier{m}", data)


def transpose_conv() -> Iterator[Case]:
    """Kernels larger and smaller than the stride, every output size that SAME can have, with and without bias."""
    for k, s, padding, bias in product((1, 2, 3, 5), (1, 2, 3), (SAME, VALID), (False, True)):
        if padding == VALID and k < s:
            continue
        for rest in range(s if padding == SAME else 1):
            height, width = (n * s - rest if padding == SAME else (n - 1) * s + k for n in (4, 5))
            shape, first = (1, height, width, 3), (ints(1, height, width, 3), floats(3, k, k, 2))
            options: dict[str, Any] = {"padding": padding, "strideH": s, "strideW": s, "version": 3 if bias else 1}
            data = one("TRANSPOSE_CONV", (1, 4, 5, 2), shape, *([floats(3)] if bias else []), first=first, **options)
            yield Case(f"kernel{k}-stride{s}-{NAMES[padding]}-less{rest}-bias{bias}", data)


def fully_connected() -> Iterator[Case]:
    """Flattening or keeping the axes; with and without bias."""
    for bias, activation in product((floats(4), None), (NONE, RELU)):
        data = one("FULLY_CONNECTED", (1, 6), (1, 4), floats(4, 6), bias, fusedActivationFunction=activation)
        yield Case(f"bias{bias is not None}-{activation}", data)
    yield Case("flattens", one("FULLY_CONNECTED", (1, 2, 3, 5), (1, 4), floats(4, 30), floats(4)))
    yield Case("keeps", one("FULLY_CONNECTED", (1, 2, 3, 5), (1, 2, 3, 4), floats(4, 5), floats(4), keepNumDims=True))


def binary(kind: str) -> Iterator[Case]:
    """Two values or a value and a constant, equal and broadcast, with activations."""
    whole = (1, 4, 3, 5)
    for activation in (NONE, RELU, RELU6, RELU_N1_TO_1):
        yield Case(f"two-{activation}", two(kind, whole, whole, whole, fusedActivationFunction=activation))
    for other in ((1, 1, 1, 5), (1, 4, 1, 1), (1, 5)):
        yield Case(f"broadcast-{len(other)}{other[1]}", two(kind, whole, other, whole))
        yield Case(f"broadcast-left-{len(other)}{other[1]}", two(kind, other, whole, whole))
    # Equal extents, and a batch (the tests run two) that equals the channels: nothing may tell axes apart by extent.
    for left, right in (
        ((1, 5, 4, 5), (1, 5, 1, 1)),
        ((1, 4, 5, 5), (1, 1, 5, 1)),
        ((1, 1, 5, 1), (1, 4, 5, 5)),
        ((1, 2), (1, 1)),
        ((1, 4, 3, 2), (1, 1, 1, 1)),
        ((1, 5, 5), (1, 5, 1)),
    ):
        result = tuple(max(pair) for pair in zip(left, right, strict=True))
        yield Case(f"equal-{left}-{right}".replace(" ", ""), two(kind, left, right, result))
    for shape in ((), (1,), (5,), (3, 5), whole, (1, 1, 1, 5)):
        data = one(kind, whole, whole, floats(*shape), fusedActivationFunction=RELU)
        yield Case(f"constant-{len(shape)}-{np.prod(shape):.0f}", data)
    yield Case("constant-first", one(kind, whole, whole, first=(floats(5),)))
    yield Case("constant-wider", one(kind, (1, 1, 1, 5), whole, floats(4, 3, 5)))
    graph = Builder()
    x = graph.input((1, 4, 3))
    yield Case("itself", graph.build(graph.op(kind, [x, x], [(1, 4, 3)])))


def unary(kind: str, **options: Any) -> Iterator[Case]:
    """Plain, on several ranks; inputs reach beyond the kinks."""
    for shape in ((1, 7), (1, 4, 3, 5)):
        graph = Builder()
        scaled = graph.op("MUL", [graph.input(shape), graph.constant(np.array([9], np.float32))], [shape])
        yield Case(f"rank{len(shape)}", graph.build(graph.op(kind, scaled, [shape], **options)))


def prelu() -> Iterator[Case]:
    """Alpha per channel, per pixel, shared by all."""
    for alpha in ((5,), (1, 1, 5), (4, 3, 5), (4, 1, 1), (1, 1, 1, 5), (1,)):
        yield Case("x".join(map(str, alpha)), one("PRELU", (1, 4, 3, 5), (1, 4, 3, 5), floats(*alpha)))


def pool(kind: str) -> Iterator[Case]:
    """Window × stride × padding, windows beyond the border, activations."""
    for padding, (fh, fw), (sh, sw) in product((SAME, VALID), ((2, 3), (5, 2)), ((1, 1), (2, 2), (3, 2))):
        shape = (1, out(7, fh, sh, padding), out(10, fw, sw, padding), 3)
        options: dict[str, Any] = {"filterHeight": fh, "filterWidth": fw, "strideH": sh, "strideW": sw}
        options |= {"padding": padding, "fusedActivationFunction": RELU if sh == 3 else NONE}
        data = one(kind, (1, 7, 10, 3), shape, **options)
        yield Case(f"{NAMES[padding]}-window{fh}{fw}-stride{sh}{sw}", data)


def mean() -> Iterator[Case]:
    """The picture's axes, and others; kept or dropped."""
    for axes, keep in product(((1, 2), (3,), (-1, 1), (2,)), (False, True)):
        dropped = {axis % 4 for axis in axes}
        shape = tuple(1 if i in dropped else n for i, n in enumerate((1, 4, 3, 5)) if keep or i not in dropped)
        yield Case(f"{axes}-keep{keep}", one("MEAN", (1, 4, 3, 5), shape, ints(*axes), keepDims=keep))


def resize(kind: str) -> Iterator[Case]:
    """Three conventions × larger, smaller, odd ratios, single pixels."""
    for (half, align), size in product(
        ((True, False), (False, True), (False, False)), ((8, 10), (12, 7), (3, 2), (4, 5), (1, 9))
    ):
        options: dict[str, Any] = {"halfPixelCenters": half, "alignCorners": align, "version": 3}
        data = one(kind, (1, 4, 5, 3), (1, *size, 3), ints(*size), **options)
        yield Case(f"half{half}-align{align}-{size[0]}x{size[1]}", data)
        if size == (1, 9):  # float32 rounds some places down here: 41 · (1 / 41) is less than 1
            data = one(kind, (1, 2, 2, 3), (1, 82, 83, 3), ints(82, 83), **options)
            yield Case(f"half{half}-align{align}-2x2-82x83", data)


def reshape() -> Iterator[Case]:
    """With the shape as an operand, as an option, with -1."""
    yield Case("operand", one("RESHAPE", (1, 4, 3, 5), (1, 20, 3), ints(1, 20, 3)))
    yield Case("option", one("RESHAPE", (1, 4, 3, 5), (1, 60), newShape=[1, -1]))
    yield Case("wider", one("RESHAPE", (1, 60), (1, 5, 3, 4), ints(1, -1, 3, 4)))


def concatenation() -> Iterator[Case]:
    """Along each axis, counted from either end, in an order that matters."""
    for axis in (1, 2, 3, -1):
        left, right, result = ([1, 4, 3, 5] for _ in range(3))
        right[axis], result[axis] = 2, left[axis] + 2
        graph = Builder()
        operands = [graph.input(left, "a"), graph.input(right, "b")]
        yield Case(f"axis{axis}", graph.build(graph.op("CONCATENATION", operands[::-1], [result], axis=axis)))
    yield Case("single", one("CONCATENATION", (1, 4, 3), (1, 4, 3), axis=1))


def pad() -> Iterator[Case]:
    """Uneven borders of the picture, of the channels, of other ranks."""
    for shape, pads in (
        ((1, 4, 3, 5), ((0, 0), (1, 2), (3, 0), (0, 0))),
        ((1, 4, 3, 5), ((0, 0), (0, 0), (0, 0), (2, 3))),
        ((1, 4, 3, 5), ((0, 0), (1, 0), (0, 2), (0, 3))),
        ((1, 4, 3), ((0, 0), (1, 2), (0, 1))),
    ):
        result = tuple(n + sum(p) for n, p in zip(shape, pads, strict=True))
        yield Case(str(pads).replace(" ", ""), one("PAD", shape, result, np.array(pads, np.int32)))


def strided_slice() -> Iterator[Case]:
    """Parts, steps, negative steps and ends, masks, dropped axes."""

    def case(name: str, result: tuple[int, ...], begin: Array, end: Array, step: Array, **masks: Any) -> Case:
        return Case(name, one("STRIDED_SLICE", (1, 6, 5, 4), result, begin, end, step, **masks))

    yield case("part", (1, 3, 2, 2), ints(0, 1, 2, 0), ints(1, 4, 4, 2), ints(1, 1, 1, 1))
    yield case("steps", (1, 3, 2, 4), ints(0, 0, 1, 0), ints(1, 6, 5, 4), ints(1, 2, 3, 1))
    yield case("ends", (1, 4, 5, 3), ints(0, -5, 0, 0), ints(1, -1, 9, -1), ints(1, 1, 1, 1))
    yield case("backwards", (1, 6, 3, 4), ints(0, 5, 4, 0), ints(1, -7, -6, 4), ints(1, -1, -2, 1))
    yield case("masks", (1, 6, 3, 4), ints(7, 3, 0, 1), ints(0, 0, 3, 1), ints(1, 1, 1, 1), beginMask=11, endMask=11)
    yield case("drops", (1, 6, 4), ints(0, 0, -2, 0), ints(1, 6, 0, 4), ints(1, 1, 1, 1), shrinkAxisMask=4)
    yield case(
        "drops-masked", (1, 5, 4), ints(0, 2, 0, 0), ints(1, 3, 5, 4), ints(1, 1, 1, 1), shrinkAxisMask=2, beginMask=2
    )
    yield case("all", (1, 6, 5, 4), ints(0, 0, 0, 0), ints(1, 6, 5, 4), ints(1, 1, 1, 1))


def transpose() -> Iterator[Case]:
    """Orders that are not their own inverse, on several ranks."""
    for perm in ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 1)):
        shape = (1, 4, 3, 5)[: len(perm)]
        data = one("TRANSPOSE", shape, tuple(shape[axis] for axis in perm), ints(*perm))
        yield Case(str(perm).replace(" ", ""), data)


def blocks(kind: str) -> Iterator[Case]:
    """Block sizes 2 and 3 on unequal extents."""
    for b in (2, 3):
        small, large = (1, 2, 5, 3 * b * b), (1, 2 * b, 5 * b, 3)
        shapes = (small, large) if kind == "DEPTH_TO_SPACE" else (large, small)
        yield Case(f"block{b}", one(kind, *shapes, blockSize=b))


MAKERS: dict[str, Callable[[], Iterator[Case]]] = {
    "ADD": lambda: binary("ADD"),
    "AVERAGE_POOL_2D": lambda: pool("AVERAGE_POOL_2D"),
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEPTH_TO_SPACE": lambda: blocks("DEPTH_TO_SPACE"),
    "FULLY_CONNECTED": fully_connected,
    "ELU": lambda: unary("ELU"),
    "GELU": lambda: unary("GELU"),
    "HARD_SWISH": lambda: unary("HARD_SWISH"),
    "LEAKY_RELU": lambda: unary("LEAKY_RELU", alpha=0.123456789),
    "LOGISTIC": lambda: unary("LOGISTIC"),
    "MAX_POOL_2D": lambda: pool("MAX_POOL_2D"),
    "MEAN": mean,
    "MUL": lambda: binary("MUL"),
    "PAD": pad,
    "PRELU": prelu,
    "RELU": lambda: unary("RELU"),
    "RELU6": lambda: unary("RELU6"),
    "RELU_N1_TO_1": lambda: unary("RELU_N1_TO_1"),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": lambda: resize("RESIZE_BILINEAR"),
    "RESIZE_NEAREST_NEIGHBOR": lambda: resize("RESIZE_NEAREST_NEIGHBOR"),
    "SOFTMAX": lambda: unary("SOFTMAX", beta=1.0),
    "SPACE_TO_DEPTH": lambda: blocks("SPACE_TO_DEPTH"),
    "STRIDED_SLICE": strided_slice,
    "TANH": lambda: unary("TANH"),
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transpose_conv,
}
CASES = {kind: list(make()) for kind, make in MAKERS.items()}
