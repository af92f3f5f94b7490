"""Films of one drawn hand before a webcam: it wanders, turns, comes near and goes away, in a room that stays."""

from collections.abc import Iterable, Iterator
from math import sin
from pathlib import Path

import numpy as np
from PIL import Image

from unlite.detection.drawn import DrawnHand, Person, draw
from unlite.training.drawn.rooms import TONES, room

SIZE = (480, 640)  # height, width
FRAMES_PER_SECOND = 20
NOTHING = "none"


def write_video(path: Path, pictures: Iterable[Image.Image], rate: float = FRAMES_PER_SECOND) -> None:
    """A video of pictures that are all as large; .avi, whose frames are JPEGs."""
    import cv2

    first, *others = pictures
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, first.size)
    for picture in (first, *others):
        writer.write(np.asarray(picture)[..., ::-1])
    writer.release()


def film(gesture: str, frames: int, seed: int = 0, size: tuple[int, int] = SIZE) -> Iterator[Image.Image]:
    """One hand that shows a gesture of `unlite.detection.gestures.GESTURES`, or an empty room that a camera pans over.

    Args:
        gesture: What it shows, or `none`.
        frames: How many.
        seed: Another one has another person in another room.
        size: Height and width in pixels.
    """
    dice = np.random.default_rng(seed)
    height, width = size
    wall = room(dice, 2 * height, 2 * width)
    person = Person(TONES[seed % len(TONES)], shading=0.12, sleeve=(60, 90, 130))
    starts = dice.uniform(0, 6.28, 4).tolist()
    for number in range(frames):
        now = number / FRAMES_PER_SECOND
        across, down, near, turn = (
            sin(speed * now + start) for speed, start in zip((1.1, 0.8, 0.5, 0.9), starts, strict=True)
        )
        x, y = (width // 2, height // 2)
        if gesture == NOTHING:
            x, y = round(width / 2 * (1 + across)), round(height / 2 * (1 + down))
        behind = wall.crop((x, y, x + width, y + height)) if gesture == NOTHING else wall.crop((0, 0, width, height))
        hands = [
            DrawnHand(0.5 + 0.12 * near, (0.5 + 0.22 * across, 0.52 + 0.12 * down), 20 * turn, gesture, person=person)
        ]
        yield draw(height, width, [] if gesture == NOTHING else hands, behind)
