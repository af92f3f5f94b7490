"""What a detector sees in one picture, and what of it is doubtful."""

from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from typing import Any

import numpy as np

from converter.errors import BadPicture
from unlite.collecting.labels import is_nothing
from unlite.detection.finder import Finder, Named
from unlite.detection.images import open_picture
from unlite.detection.landmarks import PALM_KEYPOINTS
from unlite.detection.pipeline import Detections, Pixels
from unlite.training.data.coco.found import objects_in
from unlite.training.data.coco.writing import CocoObject
from unlite.training.lessons.placing import BELIEVED, rival

# Of a palm's keypoints, which are joined by lines: the wrist with the base of each finger, and along the thumb.
PALM_BONES = ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (5, 6))
# A camera's frame, as a page sends it.
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found in a picture.

    Attributes:
        pixels: RGB [H, W, 3].
        found: As shares of the picture, best first, down to a low score.
        names: What each of them is called; empty: the model has no labels.
    """

    pixels: Pixels
    found: Detections
    names: tuple[Named, ...] = ()


@dataclass(frozen=True)
class Eye:
    """A detector that looks at pictures for somebody who labels them."""

    finder: Finder

    @cached_property
    def _patient(self) -> Finder:
        """In a labelled picture a weak box is worth having."""
        detector = replace(self.finder.detector, min_score=min(BELIEVED, self.usual))
        return replace(self.finder, detector=detector, near=True)

    @property
    def usual(self) -> float:
        """From which score on something is found without a label."""
        return self.finder.detector.min_score

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Which keypoints are joined by lines."""
        return PALM_BONES if len(self.finder.detector.keypoints) == PALM_KEYPOINTS else ()

    def look(self, pixels: Pixels) -> Sight:
        """What is in a picture, RGB [H, W, 3], for somebody who labels it."""
        found = self._patient(pixels)
        is_placed = np.isfinite(found.boxes_xywh).all(axis=1) & np.isfinite(found.keypoints_xy).all(axis=(1, 2))
        return Sight(pixels, found[is_placed])

    def doubt(self, found: Detections, label: str) -> str:
        """Why it is doubtful that a picture shows what its label says; empty: it is not."""
        best = float(found.scores.max(initial=0))
        if is_nothing(label):
            return f"something is seen ({best:.2f})" if best >= self.usual else ""
        if best < self.usual:
            return f"hardly seen ({best:.2f})"
        other = rival(found)
        return f"two are seen ({best:.2f}, {other:.2f}): which one?" if other else ""


def recognize(finder: Finder, pixels: Pixels) -> Sight:
    """What a trained detector finds and names."""
    found = finder(pixels)
    return Sight(pixels, found, tuple(finder.names(found)))


def objects_of(found: Detections, label: str) -> tuple[CocoObject, ...]:
    """The one thing that a label is about, the best; none where the label says that nothing is shown."""
    if is_nothing(label) or not len(found):
        return ()
    return objects_in(found[:1], [label])


def as_rows(sight: Sight, usual: float) -> list[dict[str, Any]]:
    """For the page: shares of the picture, and whether each is doubtful."""
    found = sight.found
    names = [{"label": each.label} for each in sight.names] or [{}] * len(found)
    columns = (each.tolist() for each in (found.boxes_xywh, found.keypoints_xy, found.scores))
    return [
        {"box": box, "keypoints": points, "score": score, "doubtful": score < usual, **named}
        for box, points, score, named in zip(*columns, names, strict=True)
    ]


def decoded(content: bytes) -> Pixels:
    """A camera's frame, RGB [H, W, 3].

    Raises:
        BadPicture: It is no JPEG, damaged, or too large.
    """
    from PIL import Image

    try:
        with open_picture(BytesIO(content), ("JPEG",)) as opened:
            size = opened.size
            if max(size) <= LONGEST:  # before its pixels take memory
                return np.asarray(opened.convert("RGB"))
    except Image.DecompressionBombError:
        raise BadPicture("a frame with too many pixels", hint=f"at most {LONGEST} on a side") from None
    except Exception:  # noqa: BLE001 - Pillow's readers raise whatever comes to them on damaged files
        raise BadPicture("a frame that is no JPEG, or damaged") from None
    raise BadPicture(f"a frame of {size[0]}×{size[1]} pixels", hint=f"at most {LONGEST} on a side")
