"""Pooling and means."""

from converter.ops.registry import OPS
from converter.ops.steps import Step
from converter.ops.view import OpView


@OPS.register("MAX_POOL_2D")
def max_pool_2d(op: OpView) -> list[Step]:
    """The window comes from the file, never from habit."""
    return _pool(op, "MaxPooling2D")


@OPS.register("AVERAGE_POOL_2D")
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


@OPS.register("MEAN")
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
