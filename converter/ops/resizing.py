"""Changing the size of a picture."""

from converter.errors import MalformedModel
from converter.ops.registry import OPS
from converter.ops.steps import Step
from converter.ops.view import OpView


@OPS.register("RESIZE_BILINEAR")
def resize_bilinear(op: OpView) -> list[Step]:
    """Three coordinate conventions: `half_pixel_centers`, `align_corners`, or neither (the oldest)."""
    before, size = op.computed(0, rank=4).shape[1:3], op.constant(1).ints()
    if size != op.output.shape[1:3] or min(*size, *before) < 1:
        raise MalformedModel(f"{op.op}: it resizes {before} to {size}, its output has shape {op.output.shape}")
    height, width = size
    half_pixel_centers, align_corners = bool(op.option("half_pixel_centers")), bool(op.option("align_corners"))
    if half_pixel_centers and align_corners:
        raise op.unsupported("half_pixel_centers and align_corners contradict each other")
    if half_pixel_centers and height % before[0] == 0 and width % before[1] == 0:
        factors = (height // before[0], width // before[1])
        return [Step("UpSampling2D", {"size": factors, "interpolation": "bilinear"})]
    config = {
        "height": height,
        "width": width,
        "align_corners": align_corners,
        "half_pixel_centers": half_pixel_centers,
    }
    return [Step("ResizeBilinear", config)]
