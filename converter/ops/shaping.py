"""Moving values without changing them."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from converter.errors import MalformedModel
from converter.ops.forms import Emission, OpView, Part, Shape, Step, View, as_pair
from converter.ops.records import Kind, Layer, Operator, record


def reshape(op: OpView) -> list[Step]:
    """The target is the shape that the file declares for the result; the batch axis stays first and free."""
    op.keeps_batch()
    if op.computed(0).size != op.output.size:
        raise MalformedModel(f"{op.op}: it reshapes {op.operand(0).shape} to {op.output.shape}")
    return [Step("Reshape", {"target_shape": op.output.shape[1:]})]


def concatenation(op: OpView) -> list[Step]:
    """Along any axis but the batch."""
    shapes = [op.computed(i).shape for i in range(len(op.op.inputs))]
    axis = op.axis(op.option("axis"), len(shapes[0]))
    if axis == 0:
        raise op.unsupported("it concatenates along the batch axis")
    if op.fused:
        raise op.unsupported(f"fused activation {op.fused}, which LiteRT's own kernel refuses")
    return [Step("Concatenate", {"axis": axis}) if len(shapes) > 1 else Step("Identity")]


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
    return [Step("StridedSlice", config, shape=config["size"]), *drops]


def _blocks(op: OpView, layer: str) -> list[Step]:
    op.computed(0, rank=4)
    size = int(op.option("block_size"))
    if size < 1:
        raise MalformedModel(f"{op.op}: block size {size} is not positive")
    return [Step(layer, {"block_size": size})]


def transpose(op: OpView) -> list[Step]:
    """The axes in another order, the batch still first."""
    shape, perm = op.computed(0).shape, op.constant(1).ints()
    if sorted(perm) != list(range(len(shape))):
        raise MalformedModel(f"{op.op}: {perm} is no order of the axes of {shape}")
    if perm[:1] != (0,) or op.constant(1).dtype != "INT32":
        raise op.unsupported("it moves the batch axis, or says so in other integers than LiteRT reads")
    return [Step("Permute", {"dims": perm[1:]})] if len(perm) > 1 else [Step("Identity")]


def _reshaped(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    target = config["target_shape"]
    if None not in shapes[0] and prod(target) != prod(int(n or 0) for n in shapes[0]):
        raise ValueError(f"{shapes[0]} cannot become {target}")
    return [target]


def _concatenated(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    axis = config["axis"] - 1
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) > 1 or axis >= len(shapes[0]):
        raise ValueError(f"shapes {', '.join(map(str, shapes))} cannot be joined along axis {axis + 1}")
    extents = [shape[axis] for shape in shapes]
    joined = None if None in extents else sum(int(n or 0) for n in extents)
    return [(*shapes[0][:axis], joined, *shapes[0][axis + 1 :])]


def _padded(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    pads = (*config["padding"], *((0, 0),) * (len(shapes[0]) - len(config["padding"])))
    return [tuple(extent and extent + sum(pad) for extent, pad in zip(shapes[0], pads, strict=True))]


def _moved_into_pixels(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    (height, width, channels), block = shapes[0], config["block_size"]
    if channels and channels % block**2:
        raise ValueError(f"{channels} channels are no whole number of blocks of {block}×{block}")
    return [(height and height * block, width and width * block, channels and channels // block**2)]


def _moved_into_channels(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    (height, width, channels), block = shapes[0], config["block_size"]
    if (height or 0) % block or (width or 0) % block:
        raise ValueError(f"{height}×{width} is no whole number of blocks of {block}×{block}")
    return [(height and height // block, width and width // block, channels and channels * block**2)]


def _handed_on(_: View) -> list[Part]:
    return []


def _reshape_parts(view: View) -> list[Part]:
    return [Part("reshape", {"target_shape": tuple(view.outputs[0])})]


def _permute_parts(view: View) -> list[Part]:
    dims = view.config.get("dims") or tuple(view.config.get("axes") or range(len(view.inputs[0]), -1, -1))[1:]
    return [Part("permute", {"dims": tuple(dims)})]


def _concatenate_parts(view: View) -> list[Part]:
    return [Part("concatenate", {"axis": view.config.get("axis", -1) % (len(view.inputs[0]) + 1)})]


def _pad_parts(view: View) -> list[Part]:
    given = view.config["pad_width"][1:] if "pad_width" in view.config else view.config["padding"]
    pads = ((given, given) if isinstance(given, int) else tuple(given)) + (0,) * len(view.inputs[0])
    config: dict[str, Any] = {"paddings": tuple(as_pair(pad) for pad in pads[: len(view.inputs[0])])}
    mode = view.config.get("mode", "constant")
    value = view.config.get("constant_values") or 0
    extra = {"mode": mode} if mode != "constant" else {"value": value} if value else {}
    return [Part("pad", config | extra)]


def _emit_reshape(e: Emission) -> None:
    shape = [1, *(int(n or 0) for n in e.shape)]
    e.op("RESHAPE", e.inputs[0], e.ints(shape, "shape"), new_shape=shape)


def _emit_pad(e: Emission) -> None:
    e.takes("paddings")
    e.op("PAD", e.inputs[0], e.ints(((0, 0), *e.config["paddings"]), "paddings"))


def _emit_strided_slice(e: Emission) -> None:
    begin, strides = e.config["begin"], e.config["strides"]
    end = []
    for b, n, s, extent in zip(begin, e.config["size"], strides, e.shapes[0], strict=True):
        after = b + (n - 1) * s + (1 if s > 0 else -1)
        end.append(after if after >= 0 else after - (extent or 0))  # -1 alone would be the last one
    emit_slice(e, begin, end, strides)


def emit_slice(e: Emission, begin: Sequence[int], end: Sequence[int], strides: Sequence[int]) -> None:
    """Every s-th element from `begin` to `end`, per axis without the batch."""
    rows = [e.ints(*row) for row in (((0, *begin), "begin"), ((1, *end), "end"), ((1, *strides), "strides"))]
    e.op("STRIDED_SLICE", e.inputs[0], *rows)


record(
    Kind("reshape", _emit_reshape),
    Operator("RESHAPE", reshape, "ReshapeOptions"),
    Layer("Reshape", _reshape_parts, shapes=_reshaped, in_head=True),
    *(Layer(name, _reshape_parts) for name in ("Flatten", "Ravel")),
)
record(
    Kind("permute", lambda e: e.op("TRANSPOSE", e.inputs[0], e.ints((0, *e.config["dims"]), "perm")), family="reshape"),
    Operator("TRANSPOSE", transpose, "TransposeOptions"),
    Layer(
        "Permute", _permute_parts, shapes=lambda config, shapes: [tuple(shapes[0][dim - 1] for dim in config["dims"])]
    ),
    Layer("Transpose", _permute_parts),
)
record(
    Kind("concatenate", lambda e: e.op("CONCATENATION", *e.inputs, axis=e.config["axis"])),
    Operator("CONCATENATION", concatenation, "ConcatenationOptions"),
    Layer(
        "Concatenate", _concatenate_parts, shapes=_concatenated, exported_as=("concat",), any_size=True, in_head=True
    ),
)
record(
    Kind("pad", _emit_pad),
    Operator("PAD", pad, "PadOptions"),
    Layer("ZeroPadding2D", _pad_parts, shapes=_padded, any_size=True, per_channel=True, in_head=True),
    Layer("ZeroPadding", _pad_parts, shapes=_padded, any_size=True),
    Layer("Pad", _pad_parts, any_size=True),
)
record(
    Kind("StridedSlice", _emit_strided_slice),
    Operator("STRIDED_SLICE", strided_slice, "StridedSliceOptions"),
    Layer("StridedSlice", shapes=lambda config, _: [config["size"]]),
)
record(
    Kind("DepthToSpace", lambda e: e.op("DEPTH_TO_SPACE", e.inputs[0], block_size=e.config["block_size"])),
    Operator("DEPTH_TO_SPACE", lambda op: _blocks(op, "DepthToSpace"), "DepthToSpaceOptions"),
    Layer("DepthToSpace", shapes=_moved_into_pixels, any_size=True, in_head=True),
)
record(
    Kind("SpaceToDepth", lambda e: e.op("SPACE_TO_DEPTH", e.inputs[0], block_size=e.config["block_size"])),
    Operator("SPACE_TO_DEPTH", lambda op: _blocks(op, "SpaceToDepth"), "SpaceToDepthOptions"),
    Layer("SpaceToDepth", shapes=_moved_into_channels, any_size=True),
)
for name in ("Identity", "Dropout"):
    record(None, Layer(name, _handed_on, any_size=True, per_channel=True, in_head=True))
# In inference.
for name in (
    *("SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"),
    *("ConvertToTensor", "StopGradient"),
    *(f"Random{what}" for what in ("Brightness", "Contrast", "Flip", "Rotation", "Translation", "Zoom")),
):
    record(None, Layer(name, _handed_on))
