"""MediaPipe's custom ops. Their options are raw little-endian C structs or flexbuffers.

Source: MediaPipe's published calculators (Apache-2.0), `mediapipe/util/tflite/operations`.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from converter.errors import MalformedModel
from converter.ops.forms import OpView, Shape, Step
from converter.ops.forms.padding import positions
from converter.ops.records import Kind, Layer, Operator, record
from converter.ops.resizing import sized
from converter.ops.transposed import transposed
from converter.tflite.model import Tensor

PADDING = {1: "same", 2: "valid"}


def convolution_2d_transpose_bias(op: OpView) -> list[Step]:
    """Inputs: x [N,H,W,I], kernel OHWI, bias [O].

    VALID gives s(in-1)+k positions. SAME is not TensorFlow's: p = max(0, k - (in-1) mod s - 1) are cut off,
    p // 2 of them in front, which equals TensorFlow's for even inputs and k = s.
    """
    padding, stride_w, stride_h = _struct(op, 3)
    x, kernel, bias = op.computed(0, rank=4), op.weight(1, rank=4), op.bias(2)
    strides = (stride_h, stride_w)
    if min(strides) < 1:
        raise MalformedModel(f"{op.op}: strides {strides} are not positive")
    is_same, extents = _padding(op, padding) == "same", zip(x.shape[1:3], kernel.shape[1:3], strides, strict=True)
    crops = [max(0, k - (n - 1) % s - 1) // 2 if is_same else 0 for n, k, s in extents]
    return transposed(op, 0, strides, (crops[0], crops[1]), bias)


def max_pooling_with_argmax_2d(op: OpView) -> list[Step]:
    """x → the maxima, and where in its window each was found (as a float, plus 0.1)."""
    op.computed(0, rank=4)
    padding, strides, pool_size = _pool(op)
    return [Step("MaxPoolingWithArgmax2D", {"pool_size": pool_size, "strides": strides, "padding": padding})]


def max_unpooling_2d(op: OpView) -> list[Step]:
    """Maxima and their places → the picture, zero elsewhere."""
    op.computed(0, rank=4), op.computed(1, rank=4)
    _, strides, pool_size = _pool(op)
    if strides != pool_size:
        raise op.unsupported(f"windows {pool_size} with strides {strides} overlap or leave gaps")
    return [Step("MaxUnpooling2D", {"pool_size": pool_size})]


def landmarks_to_transform_matrix(op: OpView) -> list[Step]:
    """Landmarks [N,L,3] → matrix [N,4,4] from a crop's pixels to the picture's around some of them."""
    options = _flexbuffer(op)
    names = ["subset_idxs", "left_rotation_idx", "right_rotation_idx", "target_rotation_radians"]
    names += ["output_height", "output_width", "scale_x", "scale_y"]
    for name in names:
        if name not in options:
            raise MalformedModel(f"{op.op} has no option {name!r}")
    op.computed(0, rank=3)
    return [Step("LandmarksToTransformMatrix", {name: options[name] for name in names})]


def transform_tensor_bilinear(op: OpView) -> list[Step]:
    """x [N,H,W,C], matrix [N,4,4] → the crop [N,height,width,C] that the matrix describes."""
    options = _flexbuffer(op)
    op.computed(0, rank=4), op.computed(1, rank=3)
    if "output_height" not in options or "output_width" not in options:
        raise MalformedModel(f"{op.op} has no output size")
    return [Step("TransformTensorBilinear", {"height": options["output_height"], "width": options["output_width"]})]


def transform_landmarks(op: OpView) -> list[Step]:
    """Landmarks [N,L,2 or 3], matrix [N,4,4] → the landmarks moved by it; z stays."""
    op.computed(0, rank=3), op.computed(1, rank=3)
    return [Step("TransformLandmarks")]


def resampler(op: OpView) -> list[Step]:
    """x [N,H,W,C], places [N,H,W,2] in pixels (x, y) → x at those places, zero outside."""
    x, places = op.computed(0, rank=4), op.computed(1, rank=4)
    if places.shape[1:] != (*x.shape[1:3], 2):
        # MediaPipe's kernel then reads the places with the picture's strides: no meaning to reproduce.
        raise op.unsupported(f"places of shape {places.shape} do not fit a picture of shape {x.shape}")
    return [Step("Resampler")]


def _struct(op: OpView, count: int) -> tuple[int, ...]:
    data = bytes(op.op.custom_options or b"")
    if len(data) < 4 * count:
        raise MalformedModel(f"{op.op}: its options have {len(data)} bytes, {4 * count} are needed")
    return struct.unpack_from(f"<{count}i", data)


def _padding(op: OpView, value: int) -> str:
    if value not in PADDING:
        raise op.unsupported(f"unknown padding {value}")
    return PADDING[value]


def _pool(op: OpView) -> tuple[str, tuple[int, int], tuple[int, int]]:
    padding, stride_w, stride_h, filter_w, filter_h, activation = _struct(op, 6)
    if activation:
        raise op.unsupported(f"fused activation {activation} is not covered")
    if min(stride_w, stride_h, filter_w, filter_h) < 1:
        raise MalformedModel(f"{op.op}: its strides or windows are not positive")
    return _padding(op, padding), (stride_h, stride_w), (filter_h, filter_w)


def _flexbuffer(op: OpView) -> dict[str, Any]:
    # The library imports numpy: only the models that have such an op pay for it.
    from flatbuffers import flexbuffers

    try:
        options = flexbuffers.Loads(bytes(op.op.custom_options or b""))
    except (AttributeError, IndexError, ValueError, TypeError, struct.error, UnicodeDecodeError) as error:
        raise MalformedModel(f"{op.op}: its options are no flexbuffer ({error})") from None
    if not isinstance(options, dict):
        raise MalformedModel(f"{op.op}: its options are no map")
    return options


def _multiply_adds(operands: Sequence[Tensor], _: Tensor) -> int:
    """x, kernel OHWI, bias: each input goes to a window of all output channels."""
    return operands[0].size * prod(operands[1].shape[:3])


def _maxima(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    return [(*positions(config, "pool_size", shapes[0]), shapes[0][2])] * 2


def _unpooled(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    return [
        (
            *(extent and extent * size for extent, size in zip(shapes[0], config["pool_size"], strict=False)),
            shapes[0][2],
        )
    ]


def _record(name: str, lower: Callable[[OpView], list[Step]], layer: Layer | None = None, results: int = 1) -> None:
    layer = layer or Layer(name)
    record(Kind(layer.name), Operator(name, lower, results=results, one_way=KEPT), layer)


KEPT = "new files have builtin operators only, which every runtime has; in its own file it stays as it is"
record(
    None,  # the kind is that of TRANSPOSE_CONV, which is written in its place
    Operator("Convolution2DTransposeBias", convolution_2d_transpose_bias, "", _multiply_adds, one_way=KEPT),
)
MAXIMA, MATRIX = "MaxPoolingWithArgmax2D", "LandmarksToTransformMatrix"
_record(MAXIMA, max_pooling_with_argmax_2d, Layer(MAXIMA, shapes=_maxima), results=2)
_record("MaxUnpooling2D", max_unpooling_2d, Layer("MaxUnpooling2D", shapes=_unpooled))
_record("Landmarks2TransformMatrix", landmarks_to_transform_matrix, Layer(MATRIX, shapes=lambda *_: [(4, 4)]))
_record("TransformTensorBilinear", transform_tensor_bilinear, Layer("TransformTensorBilinear", shapes=sized))
_record("TransformLandmarks", transform_landmarks)
_record("Resampler", resampler, Layer("Resampler", shapes=lambda _, shapes: [(*shapes[1][:2], shapes[0][2])]))
