"""Pictures of hands drawn by code, free of licences and of people; and detections drawn into pictures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from unlite.detection.finder import Difference, Named
from unlite.detection.landmarks import Hand
from unlite.detection.pipeline import Detections, Floats, Pixels

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
BOX, POINT, BONE, TEXT = (220, 30, 30), (30, 60, 220), (20, 150, 60), (20, 20, 20)
ALONE, MOVED = (255, 0, 255), (255, 170, 0)
# In pixels. Small pictures are drawn larger, so that lines and letters can be seen.
SMALLEST, LARGEST = 320, 2048
LINE, FONT, MARGIN = 2, 14, 24


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
    """Open hands, seen from the palm's side, in an RGB picture of so many pixels."""
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


@dataclass(frozen=True, slots=True)
class Side:
    """What one model has found in a picture.

    Attributes:
        name: The model's.
        names: What each of them is called; empty: the model has no labels.
    """

    name: str
    found: Detections
    names: Sequence[Named] = ()

    def text(self, row: int) -> str:
        """What stands beside one of them."""
        score = float(self.found.scores[row])
        if not self.names:
            return f"{score:.3f}"
        named = self.names[row]
        return f"{named.label} {score if named.probability is None else named.probability:.2f}"


def annotated(picture: Pixels, side: Side, alone: Collection[int] = ()) -> "Image":
    """A picture, RGB [H, W, 3], with boxes, keypoints and scores; in another colour, rows that only one model finds."""
    from PIL import Image, ImageDraw, ImageFont

    made = Image.fromarray(picture)
    factor = max(1, min(-(-SMALLEST // min(made.size)), LARGEST // max(made.size)))
    made = made.resize((made.width * factor, made.height * factor), Image.Resampling.NEAREST)
    draw, font, found = ImageDraw.Draw(made), ImageFont.load_default(FONT), side.found
    for row in range(len(found)):
        (left, top), (width, height) = _placed(found.boxes_xywh[row].reshape(2, 2), made).tolist()
        colour = ALONE if row in alone else BOX
        draw.rectangle((left, top, left + width, top + height), outline=colour, width=LINE)
        draw.text((left, max(top - FONT - LINE, 0)), side.text(row), colour, font)
        for x, y in _placed(found.keypoints_xy[row], made).tolist():
            draw.ellipse((x - LINE, y - LINE, x + LINE, y + LINE), fill=POINT)
    return made


def draw_landmarks(image: "Image", hands: Sequence[Hand]) -> None:
    """Add hands to a drawing."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for hand in hands:
        points = [tuple(point) for point in _placed(hand.landmarks_xyz[:, :2], image).tolist()]
        for finger in range(1, 21, 4):
            draw.line([points[0], *points[finger : finger + 4]], fill=BONE, width=LINE)


def side_by_side(
    picture: Pixels, both: tuple[Side, Side], difference: Difference, hands: Sequence[Hand] = ()
) -> "Image":
    """Two models' results beside each other: what only one finds, and how far the rest has moved."""
    from PIL import Image, ImageDraw, ImageFont

    first, second = (
        annotated(picture, side, alone)
        for side, alone in zip(both, (difference.only_first, difference.only_second), strict=True)
    )
    draw_landmarks(first, hands)
    if not difference.is_same:
        _draw_moves(ImageDraw.Draw(first), first, (both[0].found, both[1].found), difference)
    made = Image.new("RGB", (first.width + second.width + LINE, first.height + 2 * MARGIN), (255, 255, 255))
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(FONT)
    for image, side, left in ((first, both[0], 0), (second, both[1], first.width + LINE)):
        made.paste(image, (left, MARGIN))
        draw.text((left + LINE, LINE), side.name, TEXT, font)
    draw.text((LINE, first.height + MARGIN + LINE), str(difference), TEXT, font)
    return made


def stacked(images: Sequence["Image"]) -> "Image":
    """Drawings below each other."""
    from PIL import Image

    made = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), (255,) * 3)
    top = 0
    for image in images:
        made.paste(image, (0, top))
        top += image.height
    return made


def _draw_moves(draw: "ImageDraw", image: "Image", both: tuple[Detections, Detections], difference: Difference) -> None:
    """Lines from where the second model has a keypoint to where the first has it."""
    for row, other in difference.pairs:
        starts, ends = (_placed(found.keypoints_xy[i], image) for found, i in zip(both, (row, other), strict=True))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            draw.line((*start, *end), fill=MOVED, width=LINE)


def _placed(points: Floats, image: "Image") -> Floats:
    """Shares → pixels; kept where Pillow can draw."""
    made: Floats = np.clip(points, -10, 10) * np.array(image.size, np.float32)
    return made
