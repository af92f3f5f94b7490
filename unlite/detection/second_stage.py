"""A second stage of one's own: a model that looks at the region of each thing found, and says what it is.

Regions for training come from `cut_region` as well, so that a model sees in use what it has learned from.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.detectors.labels import Labels
from converter.detectors.letterbox import Region
from converter.detectors.table import Detector
from converter.errors import BadDetector
from parity.runners.runtimes import Run
from unlite.detection.finder import Finder, Named, load_run
from unlite.detection.landmarks import PALM_KEYPOINTS, hand_region
from unlite.detection.pipeline import Detections, Floats, Pixels, intersection_over_union, sample

NONE = "none"  # the label of what is nothing of interest
# From which intersection over union on two regions show the same hand: one that is turned, or that fills the picture,
# may be found twice, with boxes that do not touch. Source: MediaPipe's hand pipeline (`AssociationNormRectCalculator`).
SAME_REGION = 0.5
ENLARGED = 1.5  # side of the region, in those of the box


def region_of(detection: Detections, detector: Detector, picture: Pixels) -> Region:
    """Where to look at one detection: a square.

    Args:
        detection: The only one of these, as shares of the picture, finite.
        detector: What found it: for a palm, the square is that of the hand, turned so that the fingers point up; for
            all else it lies around the box.
        picture: RGB [H, W, 3].
    """
    if len(detector.keypoints) == PALM_KEYPOINTS:
        return hand_region(detection, picture)
    height, width = picture.shape[:2]
    left, top, wide, high = (detection.boxes_xywh[0] * np.array([width, height] * 2, np.float32)).tolist()
    side = ENLARGED * max(wide, high)
    return Region(left + wide / 2, top + high / 2, side, side)


def cut_region(detection: Detections, detector: Detector, picture: Pixels, size: tuple[int, int]) -> Floats:
    """What a second stage sees of one detection, see `region_of`: [1, *size, 3] in the detector's range."""
    return sample(picture, region_of(detection, detector, picture), size, detector.range, replicate=True)


@dataclass(frozen=True, slots=True)
class SecondStage:
    """A model for regions [1, size, size, 3] that gives logits [1, classes]."""

    run: Run
    size: tuple[int, int]
    labels: Labels
    detector: Detector

    def __call__(self, picture: Pixels, found: Detections) -> tuple[Detections, list[Named]]:
        """Name what was found in a picture, RGB [H, W, 3].

        Returns:
            Those that are something, and what each of them is. What is `none`, has no place, or whose score times its
            probability is below the labels' threshold is left out; of two whose regions are the same, the lesser one.
        """
        seen: list[tuple[float, int, Named, Region]] = []
        for row in np.flatnonzero(_is_placed(found)).tolist():
            one = found[row : row + 1]
            named = self._named(self.run([cut_region(one, self.detector, picture, self.size)])[0][0])
            score = float(found.scores[row]) * (named.probability or 0.0)
            if named.label != NONE and score >= (self.labels.threshold or 0.0):
                seen.append((score, row, named, region_of(one, self.detector, picture)))
        kept: dict[int, Named] = {}
        regions = np.empty((0, 4), np.float32)
        for _, row, named, region in sorted(seen, key=lambda each: -each[0]):
            corners = _corners(region)
            if intersection_over_union(corners, regions).max(initial=0) <= SAME_REGION:
                kept[row], regions = named, np.concatenate([regions, corners[None]])
        rows = sorted(kept)
        return found[np.array(rows, np.intp)], [kept[row] for row in rows]

    def patient(self, finder: Finder) -> Finder:
        """A finder that leaves to the second stage what it is not sure of, down to the labels' threshold."""
        least = min(finder.detector.min_score, self.labels.threshold or 1.0)
        return replace(finder, detector=replace(finder.detector, min_score=least))

    def _named(self, logits: Floats) -> Named:
        powers = np.exp(logits.astype(np.float64) - logits.max())
        best = int(logits.argmax())
        return Named(self.labels.names[best], float(powers[best] / powers.sum()))


def _corners(region: Region) -> Floats:
    """Of a region as if it were not turned, as MediaPipe compares them."""
    half = np.array([region.width, region.height], np.float32) / 2
    centre = np.array([region.x, region.y], np.float32)
    return np.concatenate([centre - half, centre + half])


def _is_placed(found: Detections) -> NDArray[np.bool_]:
    is_known = np.isfinite(found.boxes_xywh).all(axis=1) & np.isfinite(found.keypoints_xy).all(axis=(1, 2))
    return np.asarray(is_known & (found.boxes_xywh[:, 2:] > 0).all(axis=1))


def load_second_stage(path: Path, detector: Detector) -> SecondStage:
    """Load a model, `.tflite` or `.keras`, that names what a detector has found.

    Raises:
        BadDetector: It takes or gives something else, has no labels, or is for another detector.
        UnliteError: It cannot be read.
    """
    loaded = load_run(path)
    is_square = len(loaded.taken) == 1 and loaded.taken[0][:1] * 2 + (3,) == loaded.taken[0]
    if not is_square or len(loaded.given) != 1 or len(loaded.given[0]) != 1:
        raise BadDetector(
            f"{path.name} classifies no regions: it takes {loaded.taken} and gives {loaded.given}",
            hint="expected one square picture, and one logit per class",
        )
    if loaded.labels is None:
        raise BadDetector(f"{path.name} has no labels, so nothing says what its classes are", hint="save(…, labels=…)")
    loaded.labels.check(loaded.given[0][0], path.name)
    if loaded.labels.detector != detector.name:
        raise BadDetector(f"{path.name} is for detector {loaded.labels.detector!r}, not {detector.name!r}")
    height, width, _ = loaded.taken[0]
    return SecondStage(loaded.run, (height, width), loaded.labels, detector)
