"""Pictures drawn by code: deterministic, free of licences and of people."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

SKIN, CREASE, BACKGROUND = (191, 140, 126), (190, 130, 85), (233, 228, 225)
# An open right hand, fingers up, in units of the hand's size, centre of the palm at (0, 0), y downwards:
# base, tip and width of thumb, index, middle, ring and little finger.
FINGERS = (
    ((-0.10, 0.17), (-0.40, -0.12), 0.10),
    ((-0.18, -0.14), (-0.15, -0.49), 0.12),
    ((-0.03, -0.15), (-0.04, -0.49), 0.13),
    ((0.05, -0.12), (0.12, -0.46), 0.12),
    ((0.18, -0.10), (0.22, -0.36), 0.09),
)
PALM = (
    *((-0.20, -0.11), (-0.12, -0.16), (-0.03, -0.18), (0.14, -0.18), (0.22, -0.09), (0.23, 0.07)),
    *((0.16, 0.27), (0.09, 0.34), (0.10, 0.57), (-0.12, 0.53), (-0.10, 0.33), (-0.20, 0.20)),
)
CREASES = (
    ((-0.19, -0.02), (0.06, 0.00), (0.10, -0.08)),
    ((-0.10, -0.06), (0.05, 0.06), (0.19, 0.05)),
    ((-0.19, -0.02), (-0.05, 0.10), (-0.04, 0.28)),
)
# Drawn this many times larger and scaled down, for smooth edges.
OVERSAMPLING = 4


def draw_hand(size: int = 192, scale: float = 0.38, centre: tuple[float, float] = (0.53, 0.64)) -> "Image":
    """Draw one open hand, seen from the palm's side.

    Args:
        size: Edge of the square picture in pixels.
        scale: Height of the hand as a share of the picture.
        centre: (x, y) of the palm's centre, as shares of the picture.

    Returns:
        An RGB picture of `size` × `size` pixels.
    """
    from PIL import Image, ImageDraw, ImageFilter

    full = size * OVERSAMPLING
    picture = Image.new("RGB", (full, full), BACKGROUND)
    draw = ImageDraw.Draw(picture)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (centre[0] + point[0] * scale) * full, (centre[1] + point[1] * scale) * full

    def stroke(start: tuple[float, float], end: tuple[float, float], width: float, colour: tuple[int, ...]) -> None:
        radius = width * scale * full / 2
        draw.line((place(start), place(end)), fill=colour, width=round(2 * radius))
        for x, y in (place(start), place(end)):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    for base, tip, width in FINGERS:
        stroke(base, tip, width + 0.015, CREASE)
    draw.polygon([place(point) for point in PALM], fill=SKIN)
    for base, tip, width in FINGERS:
        stroke(base, tip, width, SKIN)
    for crease in CREASES:
        for start, end in pairwise(crease):
            stroke(start, end, 0.010, CREASE)
    small = picture.resize((size, size), Image.Resampling.LANCZOS)
    return small.filter(ImageFilter.GaussianBlur(size / 300))


def as_input(picture: "Image") -> NDArray[np.float32]:
    """A picture as a batch of one for models with the range [0, 1]: [1, height, width, 3]."""
    pixels: NDArray[np.float32] = np.asarray(picture, np.float32)[None] / np.float32(255)
    return pixels
