"""Parts of a picture as an input tensor, sampled as MediaPipe does."""

from math import pi

import numpy as np
from numpy.typing import NDArray

from converter.detectors.letterbox import Region
from converter.extras import importing

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def sample(
    picture: Pixels, region: Region, size: tuple[int, int], value_range: tuple[float, float], *, replicate: bool = False
) -> Floats:
    """Cut a region out of a picture: bilinear, no half-pixel centres, no antialiasing.

    Done in OpenCV below version 5, on bytes, as MediaPipe does it: the result is the same to the last bit.

    Args:
        picture: RGB [H, W, 3].
        region: What to cut out.
        size: Height and width of the result.
        value_range: What black and white become.
        replicate: Whether the picture's edge goes on outside; else it is black there.

    Returns:
        [1, height, width, 3].

    Raises:
        MissingBackend: OpenCV is not installed.
    """
    with importing("detect", "sampling pictures"):
        import cv2

    degrees = float(np.float32(region.rotation) * np.float32(180)) / pi
    height, width = size
    corners = cv2.boxPoints(((region.x, region.y), (region.width, region.height), degrees))
    target = np.array([(0, height), (0, 0), (width, 0), (width, height)], np.float32)
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    matrix = cv2.getPerspectiveTransform(corners, target)
    pixels = cv2.warpPerspective(picture, matrix, (width, height), borderMode=border)
    low, high = value_range
    # One rounding, not two: MediaPipe multiplies and adds in one instruction.
    values = np.arange(256) * float(np.float32((high - low) / 255)) + low
    made: Floats = values.astype(np.float32)[pixels][None]
    return made
