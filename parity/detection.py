"""From a detector's raw tensors to a box: anchors and decoding of MediaPipe's single-shot detectors.

Source: MediaPipe's published graphs and calculators (`SsdAnchorsCalculator`,
`TensorsToDetectionsCalculator`), Apache-2.0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detector:
    """What a detector's graph says about its tensors.

    Attributes:
        size: Edge of the square input in pixels.
        grids: (cells per edge, anchors per cell) per feature map, in the order of the output.
    """

    size: int
    grids: tuple[tuple[int, int], ...]


PALM = Detector(size=192, grids=((24, 2), (12, 6)))


@dataclass(frozen=True, slots=True)
class Detection:
    """One detection; positions are shares of the picture, y downwards.

    Attributes:
        score: 0 to 1.
        box: x0, y0, x1, y1.
        keypoints: [K, 2] (x, y).
    """

    score: float
    box: tuple[float, float, float, float]
    keypoints: Array


def anchors(detector: Detector) -> Array:
    """Centres of the anchors, [N, 2] (x, y); their width and height are 1 in these detectors."""
    rows = []
    for cells, per_cell in detector.grids:
        centres = (np.arange(cells, dtype=np.float32) + np.float32(0.5)) / np.float32(cells)
        y, x = np.meshgrid(centres, centres, indexing="ij")
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(rows)


def best_detection(regressors: Array, logits: Array, detector: Detector) -> Detection:
    """Decode the anchor with the highest score.

    Args:
        regressors: [N, 4 + 2K]: centre x, y, width, height and K keypoints in pixels relative to the anchor.
        logits: [N, 1].
        detector: The detector's geometry.
    """
    best = int(np.argmax(logits[:, 0]))
    points = regressors[best].reshape(-1, 2) / np.float32(detector.size)
    centre = anchors(detector)[best]
    (x, y), (width, height) = points[0] + centre, points[1]
    score = 1 / (1 + np.exp(-np.clip(logits[best, 0], -100, 100)))
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Detection(float(score), tuple(map(float, box)), points[2:] + centre)  # type: ignore[arg-type]
