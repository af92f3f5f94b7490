"""Changing the size of a picture."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from converter.errors import MalformedModel
from converter.ops.forms import Emission, OpView, Part, Shape, Step, View
from converter.ops.records import Kind, Layer, Operator, record

OURS = {"ResizeBilinear": "bilinear", "ResizeNearest": "nearest"}


def _resize(op: OpView, interpolation: str) -> list[Step]:
    """Three coordinate conventions: `half_pixel_centers`, `align_corners`, or neither (the oldest)."""
    before, size = op.computed(0, rank=4).shape[1:3], op.constant(1).ints()
    if size != op.output.shape[1:3] or min(*size, *before) < 1:
        raise MalformedModel(f"{op.op}: it resizes {before} to {size}, its output has shape {op.output.shape}")
    height, width = size
    conventions = {name: bool(op.option(name)) for name in ("align_corners", "half_pixel_centers")}
    if all(conventions.values()):
        raise op.unsupported("half_pixel_centers and align_corners contradict each other")
    (rows, rest), (columns, other_rest) = divmod(height, before[0]), divmod(width, before[1])
    as_keras = conventions["half_pixel_centers"]
    if interpolation == "nearest" and not conventions["align_corners"]:
        offset = 0.5 if as_keras else 0.0
        as_keras = _repeats(before[0], height, offset) and _repeats(before[1], width, offset)
    if as_keras and rest == other_rest == 0:
        return [Step("UpSampling2D", {"size": (rows, columns), "interpolation": interpolation})]
    return [Step(f"Resize{interpolation.title()}", {"height": height, "width": width} | conventions)]


def _repeats(before: int, after: int, offset: float) -> bool:
    """Whether the nearest pixels are each one repeated: not always, where TFLite's float32 rounds a place down."""
    scale = _float32(before / after)
    return all(int(_float32((i + offset) * scale)) == i * before // after for i in range(after))


def _float32(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])


def sized(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    """The shape of a picture whose size is a setting."""
    return [(config["height"], config["width"], shapes[0][2])]


def _upsampled(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    height, width, channels = shapes[0]
    return [(height and height * config["size"][0], width and width * config["size"][1], channels)]


def _parts(view: View) -> list[Part]:
    """Keras's own resizing has half-pixel centers on every back end; repeating pixels needs none."""
    default = "nearest" if view.layer == "UpSampling2D" else "bilinear"
    interpolation = OURS.get(view.layer) or view.config.get("interpolation", default)
    has_centers = interpolation == "bilinear" or view.layer in ("Resizing", "Resize")
    config = {
        "interpolation": interpolation,
        "size": tuple(view.outputs[0][:2]),
        "half_pixel_centers": view.config.get("half_pixel_centers", has_centers),
        "align_corners": view.config.get("align_corners", False),
    }
    others = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    return [Part("resize", config | {name: True for name in others if view.config.get(name)})]


def _emit(e: Emission) -> None:
    operators = {"bilinear": "RESIZE_BILINEAR", "nearest": "RESIZE_NEAREST_NEIGHBOR"}
    if e.config["interpolation"] not in operators:
        raise e.unknown(f"of {e.config['interpolation']}")
    e.takes("interpolation", "size", "half_pixel_centers", "align_corners")
    conventions = {name: bool(e.config[name]) for name in ("align_corners", "half_pixel_centers")}
    version = 3 if conventions["half_pixel_centers"] else 1
    size = e.ints(e.config["size"], "size")
    e.op(operators[e.config["interpolation"]], e.inputs[0], size, version=version, **conventions)


record(
    Kind("resize", _emit),
    Operator("RESIZE_BILINEAR", lambda op: _resize(op, "bilinear"), "ResizeBilinearOptions"),
    Operator("RESIZE_NEAREST_NEIGHBOR", lambda op: _resize(op, "nearest"), "ResizeNearestNeighborOptions"),
    Layer("UpSampling2D", _parts, shapes=_upsampled, any_size=True),
    *(Layer(name, _parts, shapes=sized, states_size=True) for name in OURS),
    *(Layer(name, _parts) for name in ("Resizing", "Resize")),
)
