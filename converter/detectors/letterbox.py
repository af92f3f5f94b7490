"""Where a picture lies in an input tensor that keeps its aspect ratio.

Source: MediaPipe's published `ImageToTensorCalculator` and `DetectionLetterboxRemovalCalculator`, Apache-2.0.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """A turned rectangle of a picture, in pixels.

    Attributes:
        x: Of its centre, to the right.
        y: Of its centre, downwards.
        rotation: In radians, clockwise on the screen.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0


class Padding(NamedTuple):
    """What letterboxing adds on each side, as shares of the input tensor."""

    left: float
    top: float
    right: float
    bottom: float


def whole(height: int, width: int) -> Region:
    """The region of a whole picture."""
    return Region(width / 2, height / 2, width, height)


def letterbox(region: Region, height: int, width: int) -> tuple[Region, Padding]:
    """Grow a region to the aspect ratio of a tensor; fractions of pixels are kept.

    Args:
        region: What shall be seen.
        height: Of the tensor.
        width: Of the tensor.
    """
    import numpy as np

    # float32 throughout, as MediaPipe computes it.
    wanted, ratio = np.float32(height) / np.float32(width), np.float32(region.height) / np.float32(region.width)
    one, two = np.float32(1), np.float32(2)
    if wanted > ratio:
        margin = float((one - ratio / wanted) / two)
        return replace(region, height=float(np.float32(region.width) * wanted)), Padding(0.0, margin, 0.0, margin)
    margin = float((one - wanted / ratio) / two)
    return replace(region, width=float(np.float32(region.height) / wanted)), Padding(margin, 0.0, margin, 0.0)


def offset_and_extent(padding: Padding) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """Where the picture begins in the tensor, (x, y), and how much of the tensor it takes up."""
    import numpy as np

    margins = np.array([padding.left + padding.right, padding.top + padding.bottom], np.float32)
    return np.array([padding.left, padding.top], np.float32), np.float32(1) - margins
