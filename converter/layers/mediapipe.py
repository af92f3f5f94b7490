"""Keras versions of MediaPipe's custom ops, batch axis free.

Source: MediaPipe's published kernels (Apache-2.0), `mediapipe/util/tflite/operations`; checked against
MediaPipe 0.10.21 itself by `tox -e mediapipe`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import KerasTensor, ops

from converter.layers.base import ConfiguredLayer, Shape, register


@register
class MaxPoolingWithArgmax2D(ConfiguredLayer):
    """Maxima, and where in its window each was found.

    Args:
        pool_size: (height, width) of the window.
        strides: (height, width).
        padding: `same` or `valid`.
    """

    arguments = ("pool_size", "strides", "padding")

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

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Twice [N, h, w, C]."""
        size = []
        for extent, window, stride in zip(input_shape[1:3], self.pool_size, self.strides, strict=True):
            covered = 0 if self.padding == "same" else window - 1
            size.append(extent and -(-(extent - covered) // stride))
        shape = (input_shape[0], *size, input_shape[3])
        return shape, shape


@register
class MaxUnpooling2D(ConfiguredLayer):
    """Puts maxima back where `MaxPoolingWithArgmax2D` found them, zero elsewhere; windows do not overlap.

    Args:
        pool_size: (height, width) of the window.
    """

    arguments = ("pool_size",)

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
        return ops.reshape(
            ops.transpose(spread, (0, 1, 4, 2, 5, 3)), (-1, rows * height, columns * width, channels)
        )

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """[N, h·height, w·width, C]."""
        batch, rows, columns, channels = input_shape[0]
        return (batch, rows and rows * self.pool_size[0], columns and columns * self.pool_size[1], channels)


@register
class LandmarksToTransformMatrix(ConfiguredLayer):
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

    arguments = (
        "subset_idxs",
        "left_rotation_idx",
        "right_rotation_idx",
        "target_rotation_radians",
        "output_height",
        "output_width",
        "scale_x",
        "scale_y",
    )

    def __init__(self, subset_idxs: Sequence[int], **kwargs: Any) -> None:
        for name in self.arguments[1:]:
            setattr(self, name, kwargs.pop(name))
        super().__init__(**kwargs)
        self.subset_idxs = tuple(subset_idxs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """[N, 4, 4]."""
        return (input_shape[0], 4, 4)


@register
class TransformTensorBilinear(ConfiguredLayer):
    """Cuts a crop out of a feature map.

    Args:
        height: Of the crop in pixels.
        width: Of the crop in pixels.
    """

    arguments = ("height", "width")

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """[N, height, width, C]."""
        return (input_shape[0][0], self.height, self.width, input_shape[0][3])


@register
class TransformLandmarks(ConfiguredLayer):
    """Moves landmarks by a matrix."""

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """As the landmarks'."""
        return tuple(input_shape[0])


@register
class Resampler(ConfiguredLayer):
    """Samples a picture at given places."""

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """[N, h, w, C]."""
        return (*input_shape[1][:3], input_shape[0][3])
