"""Pictures drawn by code: deterministic, free of licences and of people."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians, sin
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

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


@dataclass(frozen=True, slots=True)
class DrawnHand:
    """Where a hand is.

    Attributes:
        scale: Its height as a share of the picture's.
        centre: (x, y) of the palm's centre, as shares of the picture.
        degrees: How far it is turned, clockwise.
    """

    scale: float = 0.38
    centre: tuple[float, float] = (0.53, 0.64)
    degrees: float = 0.0


def draw(
    height: int = 192,
    width: int = 192,
    hands: Sequence[DrawnHand] = (DrawnHand(),),
    background: tuple[int, int, int] = BACKGROUND,
) -> "Image":
    """Draw open hands, seen from the palm's side.

    Args:
        height: Of the picture in pixels.
        width: Of the picture.
        hands: Any number of them.
        background: Its colour.

    Returns:
        An RGB picture.
    """
    from PIL import Image, ImageDraw, ImageFilter

    picture = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), background)
    for hand in hands:
        _draw_hand(ImageDraw.Draw(picture), hand, picture.size)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    return small.filter(ImageFilter.GaussianBlur(height / 300))


def _draw_hand(draw: "ImageDraw", hand: DrawnHand, size: tuple[int, int]) -> None:
    unit = hand.scale * size[1]
    sine, cosine = sin(radians(hand.degrees)), cos(radians(hand.degrees))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] * unit, point[1] * unit
        return hand.centre[0] * size[0] + cosine * x - sine * y, hand.centre[1] * size[1] + sine * x + cosine * y

    def stroke(start: tuple[float, float], end: tuple[float, float], width: float, colour: tuple[int, ...]) -> None:
        radius = width * unit / 2
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
