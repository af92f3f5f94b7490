"""Moving values without changing them."""

from converter.errors import MalformedModel
from converter.ops.registry import OPS
from converter.ops.steps import Step
from converter.ops.view import OpView


@OPS.register("RESHAPE")
def reshape(op: OpView) -> list[Step]:
    """The target is the shape that the file declares for the result; the batch axis stays first and free."""
    op.keeps_batch()
    if op.computed(0).size != op.output.size:
        raise MalformedModel(f"{op.op}: it reshapes {op.operand(0).shape} to {op.output.shape}")
    return [Step("Reshape", {"target_shape": op.output.shape[1:]})]


@OPS.register("CONCATENATION")
def concatenation(op: OpView) -> list[Step]:
    """Along any axis but the batch."""
    shapes = [op.computed(i).shape for i in range(len(op.op.inputs))]
    axis = op.axis(op.option("axis"), len(shapes[0]))
    if axis == 0:
        raise op.unsupported("it concatenates along the batch axis")
    if op.fused:
        raise op.unsupported(f"fused activation {op.fused}, which LiteRT's own kernel refuses")
    return [Step("Concatenate", {"axis": axis}) if len(shapes) > 1 else Step("Identity")]


@OPS.register("PAD")
def pad(op: OpView) -> list[Step]:
    """Zeros around any axis but the batch: the picture's with Keras's layer, others (channels) with ours."""
    flat = op.constant(1).ints()
    paddings = tuple(zip(flat[::2], flat[1::2], strict=False))
    if len(flat) != 2 * len(op.computed(0).shape) or min(flat, default=0) < 0:
        raise MalformedModel(f"{op.op}: paddings {paddings} do not fit {op.computed(0)}")
    if any(paddings[0]):
        raise op.unsupported("it pads the batch axis")
    if len(paddings) == 4 and not any(paddings[3]):
        return [Step("ZeroPadding2D", {"padding": paddings[1:3]})]
    return [Step("ZeroPadding", {"padding": paddings[1:]})]


@OPS.register("STRIDED_SLICE")
def strided_slice(op: OpView) -> list[Step]:
    """x[begin:end:strides], where a mask's bit stands for an open end or for an axis to drop."""
    if op.option("ellipsis_mask") or op.option("new_axis_mask") or op.option("offset"):
        raise op.unsupported("ellipsis, new axes and end offsets are not covered")
    shape = op.computed(0).shape
    begin, end, strides = (op.constant(i).ints() for i in (1, 2, 3))
    if not len(shape) == len(begin) == len(end) == len(strides) or 0 in strides:
        raise op.unsupported(f"begin {begin}, end {end} and strides {strides} do not fit shape {shape}")
    kept = []
    for axis, extent in enumerate(shape):
        start = None if op.option("begin_mask") >> axis & 1 else begin[axis]
        if op.option("shrink_axis_mask") >> axis & 1:
            first = op.axis(start or 0, extent)
            kept.append(range(first, first + 1))
            continue
        stop = None if op.option("end_mask") >> axis & 1 else end[axis]
        kept.append(range(*slice(start, stop, strides[axis]).indices(extent)))
    if kept[0] != range(shape[0]) or op.option("shrink_axis_mask") & 1:
        raise op.unsupported("it slices the batch axis")
    config = {
        "begin": tuple(r.start for r in kept[1:]),
        "size": tuple(len(r) for r in kept[1:]),
        "strides": tuple(r.step for r in kept[1:]),
    }
    drops = [Step("Reshape", {"target_shape": op.output.shape[1:]})] if op.option("shrink_axis_mask") else []
    return [Step("StridedSlice", config), *drops]


@OPS.register("DEPTH_TO_SPACE")
def depth_to_space(op: OpView) -> list[Step]:
    """Channels become blocks of pixels."""
    return [Step("DepthToSpace", {"block_size": _block_size(op)})]


@OPS.register("SPACE_TO_DEPTH")
def space_to_depth(op: OpView) -> list[Step]:
    """Blocks of pixels become channels."""
    return [Step("SpaceToDepth", {"block_size": _block_size(op)})]


def _block_size(op: OpView) -> int:
    op.computed(0, rank=4)
    size = int(op.option("block_size"))
    if size < 1:
        raise MalformedModel(f"{op.op}: block size {size} is not positive")
    return size
