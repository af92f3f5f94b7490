"""Keras versions of MediaPipe's custom ops, batch axis free.

Source: MediaPipe's published kernels (Apache-2.0), `mediapipe/util/tflite/operations`; checked against
MediaPipe 0.10.21 itself by `tox -e mediapipe`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import KerasTensor, ops

from converter.layers.base import OperatorLayer, register

CROP_SETTINGS = ["left_rotation_idx", "right_rotation_idx", "target_rotation_radians"]
CROP_SETTINGS += ["output_height", "output_width", "scale_x", "scale_y"]


@register
class MaxPoolingWithArgmax2D(OperatorLayer):
    """Maxima, and where in its window each was found.

    Args:
        pool_size: (height, width) of the window.
        strides: (height, width).
        padding: `same` or `valid`.
    """

    def __init__(self, pool_size: Sequence[int], strides: Sequence[int], padding: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_size, self.strides, self.padding = tuple(pool_size), tuple(strides), padding

    def call(self, x: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """[N, H, W, C] → two of [N, h, w, C]: maxima; index y·width + x in the window, plus 0.1, as float."""
        (_, rows, columns, _) = self.compute_output_shape(x.shape)[0]
        pads = [self._pads(x.shape[axis + 1], axis) for axis in (0, 1)]
        if any(map(any, pads)):
            x = ops.pad(x, ((0, 0), *pads, (0, 0)), constant_values=float(np.finfo(np.float32).min))
        shifted = [
            x[:, y : y + (rows - 1) * self.strides[0] + 1 : self.strides[0], left : left + span : self.strides[1]]
            for y in range(self.pool_size[0])
            for left in range(self.pool_size[1])
            for span in [(columns - 1) * self.strides[1] + 1]
        ]
        windows = ops.stack(shifted, axis=-1)
        return ops.max(windows, axis=-1), ops.cast(ops.argmax(windows, axis=-1), x.dtype) + 0.1

    def _pads(self, extent: int, axis: int) -> tuple[int, int]:
        if self.padding == "valid":
            return (0, 0)
        window, stride = self.pool_size[axis], self.strides[axis]
        total = max((-(-extent // stride) - 1) * stride + window - extent, 0)
        return (total // 2, total - total // 2)


@register
class MaxUnpooling2D(OperatorLayer):
    """Puts maxima back where `MaxPoolingWithArgmax2D` found them, zero elsewhere; windows do not overlap.

    Args:
        pool_size: (height, width) of the window.
    """

    def __init__(self, pool_size: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Maxima and indices, both [N, h, w, C] → [N, h·height, w·width, C]."""
        values, index = inputs
        _, rows, columns, channels = values.shape
        height, width = self.pool_size
        places = ops.cast(ops.arange(height * width), "int32")
        is_here = ops.equal(ops.expand_dims(ops.cast(index, "int32"), -1), places)
        spread = ops.expand_dims(values, -1) * ops.cast(is_here, values.dtype)
        spread = ops.reshape(spread, (-1, rows, columns, channels, height, width))
        return ops.reshape(ops.transpose(spread, (0, 1, 4, 2, 5, 3)), (-1, rows * height, columns * width, channels))


@register
class LandmarksToTransformMatrix(OperatorLayer):
    """The matrix that maps a crop's pixels to the picture's, for a crop around some landmarks.

    The crop stands upright along the line between two landmarks, and is `scale` times as large as the box
    around the subset.

    Args:
        subset_idxs: Landmarks that the crop has to contain.
        left_rotation_idx: Landmark where the line begins.
        right_rotation_idx: Landmark where the line ends.
        target_rotation_radians: Angle that the line has in the crop.
        output_height: Height of the crop in pixels.
        output_width: Width of the crop in pixels.
        scale_x: Width of the crop relative to the box.
        scale_y: Height of the crop relative to the box.
    """

    def __init__(self, subset_idxs: Sequence[int], **kwargs: Any) -> None:
        for name in CROP_SETTINGS:
            setattr(self, name, kwargs.pop(name))
        super().__init__(**kwargs)
        self.subset_idxs = tuple(subset_idxs)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {name: getattr(self, name) for name in CROP_SETTINGS}

    def call(self, landmarks: KerasTensor) -> KerasTensor:
        """[N, L, 2 or 3] (x, y, and z unused) → [N, 4, 4].

        T(centre)·R(-a)·S(scale·box/output)·T(-output/2), where R(a) turns (1, 0) towards (0, 1) and
        a = target - atan2(right - left). Box and centre are those of the subset after R(a).
        """
        x, y = landmarks[..., 0], landmarks[..., 1]
        left, right = self.left_rotation_idx, self.right_rotation_idx
        angle = self.target_rotation_radians - ops.arctan2(y[:, right] - y[:, left], x[:, right] - x[:, left])
        cos, sin = ops.cos(angle), ops.sin(angle)
        subset = np.asarray(self.subset_idxs, "int32")
        x, y = ops.take(x, subset, axis=1), ops.take(y, subset, axis=1)
        turned_x, turned_y = x * cos[:, None] - y * sin[:, None], x * sin[:, None] + y * cos[:, None]
        low_x, low_y = ops.min(turned_x, axis=1), ops.min(turned_y, axis=1)
        high_x, high_y = ops.max(turned_x, axis=1), ops.max(turned_y, axis=1)
        scale_x = self.scale_x * (high_x - low_x) / self.output_width
        scale_y = self.scale_y * (high_y - low_y) / self.output_height
        # The crop's corner, in the turned system: half a crop before the centre of the box.
        corner_x = (low_x + high_x) / 2 - scale_x * self.output_width / 2
        corner_y = (low_y + high_y) / 2 - scale_y * self.output_height / 2
        zero, one = ops.zeros_like(cos), ops.ones_like(cos)
        rows = (
            (cos * scale_x, sin * scale_y, zero, cos * corner_x + sin * corner_y),
            (-sin * scale_x, cos * scale_y, zero, cos * corner_y - sin * corner_x),
            (zero, zero, one, zero),
            (zero, zero, zero, one),
        )
        return ops.stack([ops.stack(row, axis=1) for row in rows], axis=1)


@register
class TransformTensorBilinear(OperatorLayer):
    """Cuts a crop out of a feature map.

    Args:
        height: Of the crop in pixels.
        width: Of the crop in pixels.
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """x [N, H, W, C] and matrix [N, 4, 4] → [N, height, width, C].

        Pixel (px, py) is x at M·(px + ½, py + ½, 0, 1) - ½, and zero where that is outside [0, W-1] × [0, H-1].
        """
        x, matrix = inputs
        grids = np.indices((self.height, self.width)).astype("float32")
        rows, columns = (ops.convert_to_tensor(grid.ravel(), dtype=x.dtype) for grid in grids)
        # As the kernel does it, the half pixels go into the matrix's last column first.
        shift = 0.5 * matrix[:, :2, 0] + 0.5 * matrix[:, :2, 1] - 0.5 + matrix[:, :2, 3]
        turned = (matrix[:, axis, 0, None] * columns + matrix[:, axis, 1, None] * rows for axis in (0, 1))
        left, top = (places + shift[:, axis, None] for axis, places in enumerate(turned))
        sampled = _bilinear(x, left, top) * ops.cast(_is_inside(x, left, top), x.dtype)[..., None]
        return ops.reshape(sampled, (-1, self.height, self.width, x.shape[3]))


@register
class TransformLandmarks(OperatorLayer):
    """Moves landmarks by a matrix."""

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Landmarks [N, L, 2 or 3] and matrix [N, 4, 4] → landmarks: M·(x, y, 0, 1); z stays."""
        landmarks, matrix = inputs
        x, y = landmarks[..., 0], landmarks[..., 1]
        moved = [matrix[:, row, 0, None] * x + matrix[:, row, 1, None] * y + matrix[:, row, 3, None] for row in (0, 1)]
        rest = [landmarks[..., axis] for axis in range(2, landmarks.shape[-1])]
        return ops.stack([*moved, *rest], axis=-1)


@register
class Resampler(OperatorLayer):
    """Samples a picture, continued with zeros, at given places."""

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """x [N, H, W, C] and places [N, h, w, 2] in pixels (x, y) → [N, h, w, C]."""
        x, places = inputs
        _, height, width, _ = places.shape
        flat = ops.reshape(places, (-1, height * width, 2))
        return ops.reshape(_bilinear(x, flat[..., 0], flat[..., 1]), (-1, height, width, x.shape[-1]))


def _is_inside(x: KerasTensor, left: KerasTensor, top: KerasTensor) -> KerasTensor:
    return (left >= 0) & (left <= x.shape[2] - 1) & (top >= 0) & (top <= x.shape[1] - 1)


def _bilinear(x: KerasTensor, left: KerasTensor, top: KerasTensor) -> KerasTensor:
    """x [N, H, W, C] at places [N, P] in pixels → [N, P, C]; neighbours outside the picture are zero."""
    _, height, width, channels = x.shape
    pixels = ops.reshape(x, (-1, height * width, channels))
    column, row = ops.floor(left), ops.floor(top)
    total = 0
    for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
        c, r = column + right, row + below
        weight = (1 - ops.abs(left - c)) * (1 - ops.abs(top - r)) * ops.cast(_is_inside(x, c, r), x.dtype)
        index = ops.cast(ops.clip(r, 0, height - 1) * width + ops.clip(c, 0, width - 1), "int32")
        index = ops.broadcast_to(index[..., None], (*ops.shape(index), channels))
        total = total + weight[..., None] * ops.take_along_axis(pixels, index, axis=1)
    return total
