"""Resizing and rearranging pictures, [N, height, width, channels]."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from converter.layers.base import OperatorLayer, register


class _Resize(OperatorLayer):
    """What `ResizeBilinear` and `ResizeNearest` share: the conventions, one axis after the other."""

    def __init__(
        self, height: int, width: int, *, align_corners: bool = False, half_pixel_centers: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width
        self.align_corners, self.half_pixel_centers = align_corners, half_pixel_centers

    def call(self, x: KerasTensor) -> KerasTensor:
        """[N, h, w, C] → [N, height, width, C]."""
        return self._resize(self._resize(x, 1, self.height), 2, self.width)

    def _places(self, extent: int, size: int) -> NDArray[np.float32]:
        """Where each output position lies among the input's, in float32 as TFLite computes it: rounding decides."""
        positions = np.arange(size, dtype=np.float32)
        if self.align_corners and size > 1:
            return np.multiply(positions, (extent - 1) / (size - 1), dtype=np.float32)
        offset = np.float32(0.5 if self.half_pixel_centers else 0)
        return np.asarray(np.multiply(positions + offset, extent / size, dtype=np.float32))


@register
class ResizeBilinear(_Resize):
    """Bilinear resizing with TFLite's coordinate conventions and no antialiasing.

    The source of output position i is i·in/out; with `half_pixel_centers` (i + ½)·in/out - ½, where pixels
    are areas; with `align_corners` i·(in - 1)/(out - 1), where the outermost pixels coincide.

    Args:
        height: Output height in pixels.
        width: Output width in pixels.
        align_corners: See above.
        half_pixel_centers: See above; not together with `align_corners`.
    """

    def _resize(self, x: KerasTensor, axis: int, size: int) -> KerasTensor:
        extent = x.shape[axis]
        source = self._places(extent, size)
        if self.half_pixel_centers:
            source = np.maximum(source - np.float32(0.5), np.float32(0))
        lower = np.maximum(np.floor(source), 0).astype("int32")
        upper = np.minimum(np.ceil(source), extent - 1).astype("int32")
        shape = [1, 1, 1, 1]
        shape[axis] = size
        weight = ops.convert_to_tensor((source - lower).reshape(shape).astype("float32"), dtype=x.dtype)
        below, above = ops.take(x, lower, axis=axis), ops.take(x, upper, axis=axis)
        return below + (above - below) * weight


@register
class ResizeNearest(_Resize):
    """The nearest pixel, with the arguments of `ResizeBilinear`: below the place, with `align_corners` rounded."""

    def _resize(self, x: KerasTensor, axis: int, size: int) -> KerasTensor:
        # In float64, lest the half round up what is just below it.
        places = self._places(x.shape[axis], size).astype(np.float64) + (0.5 if self.align_corners else 0)
        return ops.take(x, np.minimum(np.floor(places), x.shape[axis] - 1).astype("int32"), axis=axis)


@register
class PaddedAveragePooling2D(OperatorLayer):
    """Average pooling over windows that reach beyond the border; what lies outside does not count.

    Args:
        pool_size: (height, width) of the window.
        strides: (height, width).
        padding: ((top, bottom), (left, right)): how far windows reach beyond the border.
    """

    def __init__(
        self, pool_size: Sequence[int], strides: Sequence[int], padding: Sequence[Sequence[int]], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size, self.strides = tuple(pool_size), tuple(strides)
        self.padding = tuple((before, after) for before, after in padding)

    def call(self, x: KerasTensor) -> KerasTensor:
        """[N, H, W, C] → [N, h, w, C]."""
        padded = ops.pad(x, ((0, 0), *self.padding, (0, 0)))
        means = ops.average_pool(padded, self.pool_size, self.strides, padding="valid")
        rows, columns = (self._share_inside(x.shape[axis + 1], axis) for axis in (0, 1))
        return means * ops.convert_to_tensor(1 / np.outer(rows, columns)[None, :, :, None], dtype=x.dtype)

    def _share_inside(self, extent: int, axis: int) -> NDArray[np.float64]:
        inside = np.pad(np.ones(extent), self.padding[axis])
        windows = np.lib.stride_tricks.sliding_window_view(inside, self.pool_size[axis])
        return np.asarray(windows[:: self.strides[axis]].mean(axis=1))


class _Blocks(OperatorLayer):
    """Works on blocks of `block_size` × `block_size` pixels.

    Args:
        block_size: Edge of a block in pixels.
    """

    def __init__(self, block_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block_size = block_size


@register
class DepthToSpace(_Blocks):
    """Moves channels into blocks of pixels."""

    def call(self, x: KerasTensor) -> KerasTensor:
        """[N, h, w, b·b·C] → [N, h·b, w·b, C]."""
        b = self.block_size
        _, height, width, channels = x.shape
        blocks = ops.reshape(x, (-1, height, width, b, b, channels // (b * b)))
        rows = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
        return ops.reshape(rows, (-1, height * b, width * b, channels // (b * b)))


@register
class SpaceToDepth(_Blocks):
    """Moves blocks of pixels into channels; the inverse of `DepthToSpace`."""

    def call(self, x: KerasTensor) -> KerasTensor:
        """[N, h·b, w·b, C] → [N, h, w, b·b·C]."""
        b = self.block_size
        _, height, width, channels = x.shape
        blocks = ops.reshape(x, (-1, height // b, b, width // b, b, channels))
        gathered = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
        return ops.reshape(gathered, (-1, height // b, width // b, b * b * channels))
