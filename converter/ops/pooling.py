"""Pooling and means."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from converter.ops.forms import PAIRS, Emission, Node, OpView, Part, Shape, Step, View
from converter.ops.forms.padding import positions
from converter.ops.records import Kind, Layer, Operator, record


def average_pool_2d(op: OpView) -> list[Step]:
    """Padding does not count: the mean is over what lies inside the picture."""
    pool_size, strides = op.pair("filter"), op.pair("stride")
    padding = op.pads(pool_size, strides)
    if not any(map(any, padding)):
        return _pool(op, "AveragePooling2D")
    # Keras counts the padding on some back ends and not on others.
    config = {"pool_size": pool_size, "strides": strides, "padding": padding}
    return [Step("PaddedAveragePooling2D", config), *op.fused_steps()]


def _pool(op: OpView, layer: str) -> list[Step]:
    op.computed(0, rank=4)
    config = {"pool_size": op.pair("filter"), "strides": op.pair("stride"), "padding": op.padding}
    return [Step(layer, config), *op.fused_steps()]


def mean(op: OpView) -> list[Step]:
    """Mean over the axes in the second input."""
    rank = len(op.computed(0).shape)
    axes = sorted({op.axis(axis, rank) for axis in op.constant(1).ints()})
    if 0 in axes:
        raise op.unsupported("it averages over the batch axis")
    keepdims = bool(op.option("keep_dims"))
    if (rank, axes) == (4, [1, 2]):
        return [Step("GlobalAveragePooling2D", {"keepdims": keepdims})]
    return [Step("Mean", {"axis": axes, "keepdims": keepdims})]


def _pool_parts(view: View, kind: str) -> list[Part]:
    size = view.pair("pool_size", 2)
    strides = view.pair("strides") if view.config.get("strides") else size
    return [Part(kind, {"pool_size": size, "strides": strides, "padding": view.pads(size, strides)})]


def _average_parts(view: View) -> list[Part]:
    return _pool_parts(view, "average_pool")


def _mean_parts(view: View) -> list[Part]:
    rank = len(view.inputs[0]) + 1
    axes = view.config.get("axis", (1, 2))
    axes = (axes,) if isinstance(axes, int) else tuple(axes or range(rank))
    config = {"axis": tuple(sorted(axis % rank for axis in axes)), "keepdims": bool(view.config.get("keepdims"))}
    return [Part("mean", config)]


def _emit(e: Emission, operator: str) -> None:
    x, options = e.window("pool_size", pads_apart=False)
    e.op(operator, x, **dict(zip(PAIRS["filter"], e.config["pool_size"], strict=True)), **options)


def _emit_mean(e: Emission) -> None:
    e.op("MEAN", e.inputs[0], e.ints(e.config["axis"], "axis"), keep_dims=e.config["keepdims"])


def _mean_terms(node: Node, shapes: Sequence[Shape]) -> int:
    return prod(shapes[0][axis - 1] or 1 for axis in node.config["axis"] if axis)


def _shapes(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    *extents, channels = shapes[0]
    if not isinstance(config["padding"], str):  # as pixels
        extents = [extent and extent + sum(pads) for extent, pads in zip(extents, config["padding"], strict=True)]
        config = {**config, "padding": "valid"}
    return [(*positions(config, "pool_size", extents), channels)]


def _mean_shapes(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    axes = config.get("axis", (1, 2))
    extents = [(axis, 1 if axis in axes else extent) for axis, extent in enumerate(shapes[0], start=1)]
    return [tuple(extent for axis, extent in extents if config["keepdims"] or axis not in axes)]


record(
    Kind("max_pool", lambda e: _emit(e, "MAX_POOL_2D"), family="pool"),
    Operator("MAX_POOL_2D", lambda op: _pool(op, "MaxPooling2D"), "Pool2DOptions"),
    Layer("MaxPooling2D", lambda view: _pool_parts(view, "max_pool"), shapes=_shapes, any_size=True, per_channel=True),
)
record(
    Kind("average_pool", lambda e: _emit(e, "AVERAGE_POOL_2D"), lambda node, _: prod(node.config["pool_size"]), "pool"),
    Operator("AVERAGE_POOL_2D", average_pool_2d, "Pool2DOptions"),
    Layer("AveragePooling2D", _average_parts, shapes=_shapes, any_size=True, per_channel=True),
    Layer("PaddedAveragePooling2D", _average_parts, shapes=_shapes),
)
record(
    Kind("mean", _emit_mean, _mean_terms),
    Operator("MEAN", mean, "ReducerOptions"),
    Layer("GlobalAveragePooling2D", _mean_parts, shapes=_mean_shapes, any_size=True),
    Layer("Mean", _mean_parts, shapes=_mean_shapes),
)
