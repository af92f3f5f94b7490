"""Axis orders: how a weight lies in TFLite and how in Keras. Named and reversible, never guessed from a shape."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layout:
    """A permutation of axes, after which the array may be split or joined into `shape`.

    Attributes:
        name: The file's axes → Keras's axes.
        axes: For each axis of the result, the file's axis; empty keeps the order.
        shape: The Keras shape, where it has another rank than the file's; else empty.
    """

    name: str
    axes: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()

    def to_keras(self, array: "NDArray[Any]") -> "NDArray[Any]":
        """The file's array in Keras's axis order."""
        moved = array.transpose(self.axes) if self.axes else array
        return moved.reshape(self.shape) if self.shape else moved

    def keras_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of `to_keras` of an array of the file's shape `shape`."""
        return self.shape or tuple(shape[axis] for axis in self.axes) or shape

    def to_tflite(self, array: "NDArray[Any]", shape: tuple[int, ...]) -> "NDArray[Any]":
        """The inverse of `to_keras`; `shape` is the file's."""
        if not self.axes:
            return array.reshape(shape)
        moved = array.reshape([shape[axis] for axis in self.axes])
        return moved.transpose(sorted(range(len(self.axes)), key=self.axes.__getitem__))


SAME = Layout("as stored")
CONV_OHWI_TO_HWIO = Layout("ohwi->hwio", (1, 2, 3, 0))
TRANSPOSE_CONV_OHWI_TO_HWOI = Layout("ohwi->hwoi", (1, 2, 0, 3))
DENSE_OI_TO_IO = Layout("oi->io", (1, 0))


def depthwise_1hwo_to_hwim(kernel_shape: tuple[int, ...], depth_multiplier: int) -> Layout:
    """TFLite's depthwise kernel keeps input channel and multiplier in one axis (o = i·M + m); Keras splits it."""
    _, height, width, outputs = kernel_shape
    return Layout("1hwo->hwim", (1, 2, 3, 0), (height, width, outputs // depth_multiplier, depth_multiplier))


def reshaped(shape: tuple[int, ...]) -> Layout:
    """The same values in the same order under another shape (a PReLU's alpha, a broadcast constant)."""
    return Layout("reshaped", (), shape)


def named(name: str, file_shape: tuple[int, ...], keras_shape: tuple[int, ...]) -> Layout | None:
    """The layout of that name for a weight of these shapes; None if there is none, or it does not fit."""
    fixed = (SAME, CONV_OHWI_TO_HWIO, TRANSPOSE_CONV_OHWI_TO_HWOI, DENSE_OI_TO_IO, reshaped(keras_shape))
    layouts = {layout.name: layout for layout in fixed}
    if len(file_shape) == len(keras_shape) == 4 and keras_shape[3]:
        layouts["1hwo->hwim"] = depthwise_1hwo_to_hwim(file_shape, keras_shape[3])
    made = layouts.get(name)
    if made is None or (made.axes and len(made.axes) != len(file_shape)):
        return None
    return made if made.keras_shape(file_shape) == keras_shape and prod(file_shape) == prod(keras_shape) else None


LAYOUT_NAMES = (SAME.name, "ohwi->hwio", "1hwo->hwim", "ohwi->hwoi", "oi->io", "reshaped")
