"""Which anchor is about which object: boxes encoded as a detector encodes them, and objects assigned to anchors.

MediaPipe's anchors are points, all of the same size, so an object's overlap with an anchor says nothing. What counts is
the box that the detector itself decodes at an anchor: with frozen regressors that is known for every picture, and an
anchor whose box lies on an object is where that object's class has to be said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.detectors.table import Detector, anchors
from unlite.detection.pipeline import Floats, intersection_over_union

# What an anchor is about, where it is no class.
NOTHING, IGNORED = -1, -2
# From this intersection over union on an anchor is about an object; between the two, nothing is asked of it.
POSITIVE, NEGATIVE = 0.5, 0.4


@dataclass(frozen=True, slots=True)
class Objects:
    """What is in one picture, in shares of it, or of an input tensor.

    Attributes:
        boxes_xywh: [G, 4]: left, top, width, height.
        classes: [G] int; `IGNORED` for what nothing shall be learned from.
        keypoints_xy: [G, K, 2]; NaN where they are unknown.
    """

    boxes_xywh: Floats
    classes: NDArray[np.intp]
    keypoints_xy: Floats

    def __len__(self) -> int:
        return len(self.classes)

    def corners(self) -> Floats:
        """[G, 4]: left, top, right, bottom."""
        return np.concatenate([self.boxes_xywh[:, :2], self.boxes_xywh[:, :2] + self.boxes_xywh[:, 2:]], axis=1)


def decode_boxes(regressors: Floats, detector: Detector) -> tuple[Floats, Floats]:
    """What every anchor says.

    Args:
        regressors: [N, coordinates] in pixels, relative to the anchors.
        detector: What they mean.

    Returns:
        Boxes [N, 4] (left, top, width, height) and keypoints [N, K, 2], shares of the input tensor.
    """
    size = np.array([detector.width, detector.height], np.float32)
    points = regressors.reshape(len(regressors), -1, 2) / size
    centres, extents = points[:, 0] + anchors(detector), points[:, 1]
    boxes = np.concatenate([centres - extents / 2, extents], axis=1)
    return boxes, points[:, 2:] + anchors(detector)[:, None]


def encode_boxes(boxes_xywh: Floats, keypoints_xy: Floats, detector: Detector) -> Floats:
    """The inverse of `decode_boxes`: what each anchor has to say to mean its box and keypoints.

    Args:
        boxes_xywh: [N, 4], one for each anchor, shares of the input tensor.
        keypoints_xy: [N, K, 2].
        detector: What regressors mean.

    Returns:
        [N, coordinates] in pixels.
    """
    size = np.array([detector.width, detector.height], np.float32)
    centres = boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2 - anchors(detector)
    points: list[NDArray[np.floating]] = [
        centres[:, None],
        boxes_xywh[:, None, 2:],
        keypoints_xy - anchors(detector)[:, None],
    ]
    made: Floats = (np.concatenate(points, axis=1) * size).reshape(len(boxes_xywh), -1).astype(np.float32)
    return made


def assign(boxes_xywh: Floats, objects: Objects) -> tuple[NDArray[np.int16], NDArray[np.intp]]:
    """What each anchor is about: the object that its box lies on.

    Every object gets an anchor of its own: the one whose box overlaps it most, also where another object would have
    it, or the next best where that one has gone to an object that it fits better. Without any overlap there is none
    to give, nor is there one for what has been moved out of the picture, or is `IGNORED`.

    Args:
        boxes_xywh: [N, 4]: what the anchors say.
        objects: In the same coordinates.

    Returns:
        [N] class, `NOTHING` or `IGNORED`; and [N] the object, -1 for none.
    """
    count = len(boxes_xywh)
    about = np.full(count, -1, np.intp)
    classes = np.full(count, NOTHING, np.int16)
    if not len(objects) or not count:
        return classes, about
    corners = np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)
    overlaps = np.stack([intersection_over_union(box, corners) for box in objects.corners()])
    overlaps = np.where(np.isfinite(overlaps), overlaps, 0)
    nearest, most = overlaps.argmax(axis=0), overlaps.max(axis=0)
    classes[most >= NEGATIVE] = IGNORED
    about[most >= POSITIVE] = nearest[most >= POSITIVE]
    centres = objects.boxes_xywh[:, :2] + objects.boxes_xywh[:, 2:] / 2
    is_asked = (objects.classes != IGNORED) & (centres >= 0).all(axis=1) & (centres <= 1).all(axis=1)
    is_taken = np.zeros(count, bool)
    for number in np.argsort(-overlaps.max(axis=1), kind="stable"):
        free = np.where(is_taken, 0, overlaps[number])
        if is_asked[number] and free.max() > 0:
            about[free.argmax()] = number
            is_taken[free.argmax()] = True
    classes[about >= 0] = objects.classes[about[about >= 0]]
    return classes, about
