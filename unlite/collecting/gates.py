"""What is not worth keeping: blurred pictures, and those that are nearly the same as one that is kept."""

from collections import deque
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np

from converter.extras import importing
from unlite.detection.pipeline import Detections, Pixels
from unlite.training.data.copies import Look, is_copy, look_of

# The region around what was found, in sides of its box, and its side in pixels: what is smaller is not enlarged. The
# measure compares neighbours with a mean of eleven.
ENLARGED, SIDE, SMALLEST = 1.6, 128, 11
# Crété's measure goes from 0, sharp, to 1, and depends on what is seen: 0.32 to 0.54 on photographs of hands, 0.51 to
# 0.64 on drawn ones. What moved by a sixth of the box while it was taken has 0.10 to 0.16 more: a picture is compared
# with the sharpest quarter of those just before it. Above the last number every picture of either kind is blurred.
MORE, SHARPEST, HOPELESS = 0.12, 25, 0.75
REMEMBERED, ENOUGH = 50, 4


class Sharpness:
    """Whether pictures of one camera or one film are blurred, compared with those before."""

    def __init__(self) -> None:
        self._before: deque[float] = deque(maxlen=REMEMBERED)

    def is_blurred(self, picture: Pixels, found: Detections) -> bool:
        """Whether what was found in a picture, RGB [H, W, 3], is; of several things, the first.

        Source: F. Crété et al., "The blur effect: perception and estimation with a new no-reference perceptual blur
        metric", 2007.

        Raises:
            MissingBackend: scikit-image is not installed.
        """
        with importing("collect", "telling what is blurred"):
            from skimage.measure import blur_effect

        seen = _seen(picture, found)
        if min(seen.shape) < SMALLEST or seen.min() == seen.max():  # nothing that could be sharp
            return False
        measure: Any = blur_effect  # has no types
        value = float(measure(seen))
        self._before.append(value)
        is_more = len(self._before) > ENOUGH and value > np.percentile(self._before, SHARPEST) + MORE
        return bool(value > HOPELESS or is_more)


def _seen(picture: Pixels, found: Detections) -> Pixels:
    """The first thing that was found, grey [h, w], with the longer side at most `SIDE`."""
    import cv2

    height, width = picture.shape[:2]
    x, y, wide, high = (found.boxes_xywh[0] * np.array([width, height] * 2)).tolist()
    half = max(ENLARGED * max(wide, high) / 2, 1)
    cut = np.array([x + wide / 2 - half, y + high / 2 - half, x + wide / 2 + half, y + high / 2 + half])
    left, top, right, bottom = np.clip(cut, 0, [width, height] * 2).round().astype(int).tolist()
    grey = cv2.cvtColor(picture[top : max(bottom, top + 1), left : max(right, left + 1)], cv2.COLOR_RGB2GRAY)
    scale = min(SIDE / max(grey.shape), 1)
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


class Copies:
    """Whether a picture is nearly the same as one that is kept, see `unlite.training.data.copies`."""

    def __init__(self) -> None:
        self._looks: dict[int, Look] = {}

    def look(self, content: bytes) -> Look | None:
        """What a picture's file looks like from afar; None: it is broken."""
        return look_of(BytesIO(content))

    def has(self, look: Look | None, among: Iterable[int]) -> bool:
        """Whether one of these numbers looks nearly the same."""
        return look is not None and is_copy(look, [self._looks[each] for each in among if each in self._looks])

    def knows(self, number: int) -> bool:
        """Whether it has been told of a picture."""
        return number in self._looks

    def remember(self, number: int, look: Look | None) -> None:
        """Of a picture that is kept."""
        if look is not None:
            self._looks[number] = look
