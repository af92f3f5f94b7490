"""Detections drawn into pictures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unlite.detection.finder import Difference, Named
from unlite.detection.landmarks import Hand
from unlite.detection.pipeline import Detections, Floats, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

BOX, POINT, BONE, TEXT = (220, 30, 30), (30, 60, 220), (20, 150, 60), (20, 20, 20)
ALONE, MOVED = (255, 0, 255), (255, 170, 0)
# In pixels. Small pictures are drawn larger, so that lines and letters can be seen.
SMALLEST, LARGEST = 320, 2048
LINE, FONT, MARGIN = 2, 14, 24


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
