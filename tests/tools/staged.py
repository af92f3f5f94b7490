"""Pictures and a detector for tests of `unlite collect` that need no model: pictures say themselves what is seen."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from converter.detectors.table import Detector, find
from unlite.collecting.collector import Collector, Shot
from unlite.collecting.seeing import Eye, Sight, decoded
from unlite.detection.finder import Finder
from unlite.detection.pipeline import Detections, Pixels

BLOCK = 8  # pixels of a picture's squares, and of the two that say what is seen


def jpeg(seed: int, *scores: float, blocks: int = 16, blur: float = 0.0) -> bytes:
    """A picture like no other, in which things with these scores are seen: none, one or two."""
    noise = np.random.default_rng(seed).integers(0, 256, (blocks, blocks, 3), np.uint8)
    picture = Image.fromarray(noise).resize((blocks * BLOCK, blocks * BLOCK), Image.Resampling.NEAREST)
    picture = picture.filter(ImageFilter.GaussianBlur(blur)) if blur else picture
    for place in range(2):
        grey = round(255 * scores[place]) if place < len(scores) else 0
        picture.paste((grey, grey, grey), (place * BLOCK, 0, (place + 1) * BLOCK, BLOCK))
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=95)
    return made.getvalue()


@dataclass(frozen=True)
class Staged(Eye):
    """Sees what pictures of `jpeg` say."""

    finder: Finder = field(default_factory=lambda: Finder("staged.tflite", _not_run, palm()))

    def look(self, pixels: Pixels) -> Sight:
        """Things in the middle of the picture's halves."""
        scores = np.array([pixels[BLOCK // 2, BLOCK // 2 + place * BLOCK].mean() / 255 for place in range(2)])
        seen = np.flatnonzero(scores > 0.1)
        boxes = np.array([[0.25, 0.25, 0.5, 0.5], [0.6, 0.6, 0.3, 0.3]], np.float32)[seen]
        points = np.repeat(boxes[:, None, :2], len(self.finder.detector.keypoints), axis=1) + 0.1
        return Sight(pixels, Detections(boxes, points, scores[seen].astype(np.float32), np.zeros(len(seen), np.intp)))


def palm() -> Detector:
    """The detector of palms."""
    return find("palm")


def _not_run(*_: object) -> list[np.ndarray]:
    raise AssertionError("a staged detector has no model")


def collector(root: Path, person: str = "") -> Collector:
    """What collects into a folder, not yet opened."""
    eye = Staged()
    made = Collector(root, eye.finder, person)
    made.eye = eye
    return made


def keep(made: Collector, label: str, seed: int, *scores: float) -> int:
    """Keep a picture, and wait until it counts."""
    content = jpeg(seed, *scores)
    outcome = made.keep(Shot(content, label, "1"), made.eye.look(decoded(content)))
    assert outcome.number, outcome
    made.store.save()
    return outcome.number
