"""The second stage of MediaPipe's hand pipeline: from a palm to 21 landmarks.

Sources: MediaPipe's published graphs and calculators (`PalmDetectionDetectionToRoi`, `RectTransformationCalculator`,
`TensorsToLandmarksCalculator`, `LandmarkProjectionCalculator`), Apache-2.0.
"""

from dataclasses import dataclass
from math import atan2, cos, floor, pi, prod, sin
from pathlib import Path
from typing import Any

import numpy as np

from converter.detectors.letterbox import Region, letterbox, offset_and_extent
from converter.errors import BadDetector
from parity.runners.runtimes import Run
from unlite.detection.finder import load_run
from unlite.detection.pipeline import Detections, Floats, Pixels, sample

WRIST, MIDDLE_BASE = 0, 2  # keypoints of the palm that say where up is
SIZE, SCALE, SHIFT, DEPTH = 224, 2.6, -0.5, 0.4
LANDMARKS = 21
PRESENT = 0.5
PALM_KEYPOINTS = 7


@dataclass(frozen=True, slots=True)
class Hand:
    """One hand.

    Attributes:
        landmarks_xyz: [21, 3]: x and y as shares of the picture; z as a share of its width, away from the camera.
        presence: Whether there is a hand, from 0 to 1.
        handedness: From 0, left, to 1, right, as in a mirror.
        region: What the model saw.
    """

    landmarks_xyz: Floats
    presence: float
    handedness: float
    region: Region

    def as_dict(self, size: tuple[int, int]) -> dict[str, Any]:
        """For JSON, in pixels of a picture of this height and width; z in pixels as well."""
        scale = np.array([size[1], size[0], size[1]], np.float32)
        return {
            "landmarks": (self.landmarks_xyz * scale).tolist(),
            "presence": self.presence,
            "handedness": "right" if self.handedness > 0.5 else "left",
            "handedness_score": max(self.handedness, 1 - self.handedness),
        }


def hand_region(palm: Detections, picture: Pixels) -> Region:
    """Where the hand of one palm must be: a square that is turned so that the fingers point up."""
    # In float32 and in MediaPipe's order: a region that is off by a rounding is sampled at other 32nds of a pixel.
    height, width = map(np.float32, picture.shape[:2])
    left, top, wide, high = palm.boxes_xywh[0]
    (x0, y0), (x1, y1) = palm.keypoints_xy[0, [WRIST, MIDDLE_BASE]] * np.array([width, height])
    turned = np.float32(pi / 2) - np.float32(atan2(-(y1 - y0), x1 - x0))
    rotation = np.float32(turned - 2 * pi * floor((turned + pi) / (2 * pi)))
    shift, two = height * high * np.float32(SHIFT), np.float32(2)
    x = left + wide / two + np.float32(-float(shift) * sin(rotation) / float(width))
    y = top + high / two + np.float32(float(shift) * cos(rotation) / float(height))
    side = max(wide * width, high * height)
    wide, high = side / width * np.float32(SCALE), side / height * np.float32(SCALE)
    return Region(float(x * width), float(y * height), float(wide * width), float(high * height), float(rotation))


def find_landmarks(run: Run, picture: Pixels, region: Region) -> Hand:
    """Run a hand landmark model, which takes [1, 224, 224, 3] in [0, 1], on a region of a picture, RGB [H, W, 3]."""
    grown, padding = letterbox(region, SIZE, SIZE)
    outputs = run([sample(picture, grown, (SIZE, SIZE), (0.0, 1.0), replicate=True)])
    raw = outputs[0].reshape(LANDMARKS, 3) / np.float32(SIZE)
    offset, extent = offset_and_extent(padding)
    inside = (raw[:, :2] - offset) / extent - np.float32(0.5)
    turn = np.array([[cos(region.rotation), sin(region.rotation)], [-sin(region.rotation), cos(region.rotation)]])
    height, width = picture.shape[:2]
    placed = (inside @ turn) * (region.width, region.height) + (region.x, region.y)
    depth = raw[:, 2] / np.float32(DEPTH) * (region.width / width)
    landmarks = np.concatenate([placed / (width, height), depth[:, None]], axis=1).astype(np.float32)
    return Hand(landmarks, float(outputs[1].item()), 1 - float(outputs[2].item()), region)


def load_landmarks(path: Path) -> Run:
    """Load a hand landmark model, `.tflite` or `.keras`.

    Raises:
        BadDetector: It is none.
        UnliteError: It cannot be read.
    """
    loaded = load_run(path)
    sizes = [prod(shape) for shape in loaded.given]
    if loaded.taken != [(SIZE, SIZE, 3)] or sizes != [3 * LANDMARKS, 1, 1, 3 * LANDMARKS]:
        raise BadDetector(
            f"{path.name} is no hand landmark model: it takes {loaded.taken} and gives {sizes} numbers",
            hint="hand_landmark_lite and hand_landmark_full are",
        )
    return loaded.run


def hands_of(run: Run, picture: Pixels, palms: Detections) -> dict[int, Hand]:
    """The hands of all palms, see `find_landmarks`: row → hand. Those that turn out to be none are left out."""
    is_placed = np.isfinite(palms.keypoints_xy).all(axis=(1, 2)) & np.isfinite(palms.boxes_xywh).all(axis=1)
    hands = {
        row: find_landmarks(run, picture, hand_region(palms[row : row + 1], picture))
        for row in np.flatnonzero(is_placed).tolist()
    }
    return {row: hand for row, hand in hands.items() if hand.presence >= PRESENT}
