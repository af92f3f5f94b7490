"""From a picture to detections: sampled, run, decoded, suppressed, and placed in the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.detectors.letterbox import Padding, Region, letterbox, offset_and_extent, whole
from converter.detectors.table import Detector, anchors
from converter.errors import BadDetector
from converter.extras import importing
from parity.runners.runtimes import Run

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
MAX_LOGIT = 100.0


def sample(
    picture: Pixels, region: Region, size: tuple[int, int], value_range: tuple[float, float], *, replicate: bool = False
) -> Floats:
    """Cut a region out of a picture: bilinear, no half-pixel centres, no antialiasing.

    Done in OpenCV below version 5, on bytes, as MediaPipe does it: the result is the same to the last bit.

    Args:
        picture: RGB [H, W, 3].
        region: What to cut out.
        size: Height and width of the result.
        value_range: What black and white become.
        replicate: Whether the picture's edge goes on outside; else it is black there.

    Returns:
        [1, height, width, 3].

    Raises:
        MissingBackend: OpenCV is not installed.
    """
    with importing("detect", "sampling pictures"):
        import cv2

    degrees = float(np.float32(region.rotation) * np.float32(180)) / pi
    height, width = size
    corners = cv2.boxPoints(((region.x, region.y), (region.width, region.height), degrees))
    target = np.array([(0, height), (0, 0), (width, 0), (width, height)], np.float32)
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    matrix = cv2.getPerspectiveTransform(corners, target)
    pixels = cv2.warpPerspective(picture, matrix, (width, height), borderMode=border)
    return np.asarray(cv2.LUT(pixels, _levels(*value_range)), np.float32)[None]  # four times as fast as numpy's look-up


@cache
def _levels(low: float, high: float) -> Floats:
    """What each byte becomes. One rounding, not two: MediaPipe multiplies and adds in one instruction."""
    values = np.arange(256) * float(np.float32((high - low) / 255)) + low
    return values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Detections:
    """Any number of detections.

    Attributes:
        boxes_xywh: [D, 4]: left, top, width, height, as shares of the tensor or of the picture.
        keypoints_xy: [D, K, 2].
        scores: [D], from 0 to 1.
        classes: [D] int.
    """

    boxes_xywh: Floats
    keypoints_xy: Floats
    scores: Floats
    classes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)

    def corners(self) -> Floats:
        """[D, 4]: left, top, right, bottom."""
        low = self.boxes_xywh[:, :2]
        return np.concatenate([low, low + self.boxes_xywh[:, 2:]], axis=1)

    def __getitem__(self, rows: Any) -> "Detections":
        """Some of them, as numpy indexes a first axis."""
        return Detections(self.boxes_xywh[rows], self.keypoints_xy[rows], self.scores[rows], self.classes[rows])


def check_outputs(shapes: Sequence[Sequence[int]], detector: Detector) -> None:
    """Check that a model has this detector's outputs: regressors and logits, perhaps class logits of their own.

    Args:
        shapes: Of its outputs, without the batch.
        detector: What they should mean.

    Raises:
        BadDetector: They are not those of this detector.
    """
    boxes = [tuple(shape) for shape in shapes if len(shape) == 2 and shape[0] == detector.boxes]
    values = [shape[1] for shape in boxes]
    is_gated = len(boxes) == 3 and 1 in values
    if len(shapes) != len(boxes) or not (len(boxes) == 2 or is_gated) or detector.coordinates not in values:
        raise BadDetector(
            f"detector {detector.name!r} has outputs [{detector.boxes}, {detector.coordinates}] and "
            f"[{detector.boxes}, classes]; the model's are {[tuple(shape) for shape in shapes]}"
        )


def class_count(shapes: Sequence[Sequence[int]], detector: Detector) -> int:
    """How many classes a model tells apart whose outputs `check_outputs` has found to be this detector's."""
    rest = [shape[-1] for shape in shapes]
    rest.remove(detector.coordinates)
    if len(rest) > 1:
        rest.remove(1)  # the objectness
    return rest[0]


def regressors_and_logits(outputs: Sequence[Floats], detector: Detector) -> tuple[Floats, Floats]:
    """Tell a detector's outputs apart by their last axis, whatever their order: [N, coordinates], [N, classes].

    With as many classes as coordinates the first one has the coordinates, as in all of MediaPipe's detectors.

    A third output has class logits beside the objectness (design `gated` of `converter.surgery.heads`): the objectness
    is then the logit of the most likely class, and the others have none.

    Raises:
        BadDetector: They are not those of this detector.
    """
    check_outputs([output.shape[1:] for output in outputs], detector)
    rest = [output[0] for output in outputs]
    regressors = rest.pop(next(n for n, each in enumerate(rest) if each.shape[1] == detector.coordinates))
    if len(rest) == 1:
        return regressors, rest[0]
    objectness = rest.pop(next(n for n, each in enumerate(rest) if each.shape[1] == 1))
    chosen = np.full_like(rest[0], -np.inf)
    chosen[np.arange(len(chosen)), rest[0].argmax(axis=1)] = objectness[:, 0]
    return regressors, chosen


def decode(regressors: Floats, logits: Floats, detector: Detector) -> Detections:
    """All anchors that score enough and have a box.

    Args:
        regressors: [N, coordinates] in pixels, relative to the anchors: centre x, y, width, height, keypoints.
        logits: [N, classes]; the best class counts.
        detector: What the tensors mean.

    Returns:
        Shares of the input tensor, in the order of the anchors.
    """
    best = np.fmax.reduce(logits, axis=1)  # NaN is less than anything
    # exp only where it can matter: few of thousands of anchors score
    rows = np.flatnonzero(best >= _logit(detector.min_score))
    scores = _sigmoid(best[rows])
    is_enough = scores >= detector.min_score
    rows, scores = rows[is_enough], scores[is_enough]
    size = np.array([detector.width, detector.height], np.float32)
    points = regressors[rows].reshape(len(rows), detector.coordinates // 2, 2) / size
    centres = anchors(detector)[rows]
    points[:, 0] += centres
    points[:, 2:] += centres[:, None]
    centre, half = points[:, 0], points[:, 1] / np.float32(2)
    low, high = centre - half, centre + half
    extent = high - low
    is_box = (extent >= 0).all(axis=1)  # so written, NaN is none
    boxes = np.concatenate([low, extent], axis=1)
    classes = np.nanargmax(logits[rows], axis=1)
    return Detections(boxes, points[:, 2:], scores, classes)[is_box]


def suppress(detections: Detections, threshold: float, *, by_class: bool = False) -> Detections:
    """Weighted non-maximum suppression: what overlaps the best one becomes one with it, weighted by score.

    Every overlap is with the best one's own box, not with the mean.

    Args:
        detections: In any order; what is returned is by score, descending, and keeps the score and class of its best.
        threshold: Intersection over union above which two are the same.
        by_class: Whether only two of one class can be the same; else classes play no part.
    """
    if by_class and len(detections):
        return _suppress_by_class(detections, threshold)
    ordered = detections[np.argsort(-detections.scores, kind="stable")]
    corners = ordered.corners()
    keypoints = ordered.keypoints_xy.reshape(len(ordered), 2 * ordered.keypoints_xy.shape[1])
    # The weights themselves are summed up beside what they weigh: numpy adds rows one after the other, as MediaPipe
    # does, but a single column in pairs.
    values = np.concatenate([corners, keypoints, np.ones((len(ordered), 1), np.float32)], axis=1)
    weighted = values * ordered.scores[:, None]
    heads, merged, rest = [], [], np.arange(len(ordered))
    while rest.size:
        is_same = intersection_over_union(corners[rest[0]], corners[rest]) > threshold
        heads.append(rest[0])
        if not is_same.any():  # a box without area: MediaPipe stops here
            merged.append(values[rest[0], :-1])
            break
        total = weighted[rest[is_same]].sum(axis=0)
        merged.append(total[:-1] / total[-1])
        rest = rest[~is_same]
    made = np.array(merged, np.float32).reshape(len(heads), values.shape[1] - 1)
    boxes = np.concatenate([made[:, :2], made[:, 2:4] - made[:, :2]], axis=1)
    kept = ordered[np.array(heads, np.intp)]
    return Detections(boxes, made[:, 4:].reshape(kept.keypoints_xy.shape), kept.scores, kept.classes)


def _suppress_by_class(detections: Detections, threshold: float) -> Detections:
    classes = detections.classes
    parts = [suppress(detections[classes == each], threshold) for each in np.unique(classes)]
    names = [field.name for field in fields(detections)]
    joined = Detections(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    return joined[np.argsort(-joined.scores, kind="stable")]


def remove_letterbox(detections: Detections, padding: Padding) -> Detections:
    """From shares of the input tensor to shares of the picture."""
    offset, extent = offset_and_extent(padding)
    corner, size = detections.boxes_xywh[:, :2], detections.boxes_xywh[:, 2:]
    boxes = np.concatenate([(corner - offset) / extent, size / extent], axis=1)
    return replace(detections, boxes_xywh=boxes, keypoints_xy=(detections.keypoints_xy - offset) / extent)


def intersection_over_union(box: Floats, boxes: Floats) -> Floats:
    """Of corners [4] with corners [D, 4]; 0 where both are empty."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = sides[:, 0] * sides[:, 1] * (sides >= 0).all(axis=1)
    area, areas = (np.prod(corners[..., 2:] - corners[..., :2], axis=-1) for corners in (box, boxes))
    union = area + areas - common
    made: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return made


def _sigmoid(logits: Floats) -> Floats:
    # exp rounded once, as C's is: numpy's in float32 is off by a bit, and MediaPipe weighs boxes with this.
    powers = np.exp(-np.clip(logits, -MAX_LOGIT, MAX_LOGIT).astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + powers)


def _logit(score: float) -> float:
    """A little below the logit of a score."""
    if score <= 0:
        return -np.inf
    return float(np.log(score) - np.log1p(-score)) - 1e-3 if score < 1 else 10.0


@dataclass(frozen=True, slots=True)
class Trace:
    """All stages of one picture.

    Attributes:
        tensor: The model's input.
        raw: Its outputs.
        decoded: Shares of the input tensor.
        suppressed: As `decoded`.
        final: Shares of the picture.
    """

    tensor: Floats
    raw: Sequence[Floats]
    decoded: Detections
    suppressed: Detections
    final: Detections


def as_tensor(picture: Pixels, detector: Detector) -> tuple[Floats, Padding]:
    """A picture, RGB [H, W, 3], as a detector takes it, and what was added around it."""
    region, padding = letterbox(whole(*picture.shape[:2]), detector.height, detector.width)
    return sample(picture, region, (detector.height, detector.width), detector.range), padding


def detect(run: Run, detector: Detector, picture: Pixels, *, by_class: bool = False) -> Trace:
    """Find what a model finds in a picture, RGB [H, W, 3]; `by_class`: see `suppress`.

    Raises:
        BadDetector: The model's outputs are not those of the detector.
    """
    tensor, padding = as_tensor(picture, detector)
    raw = run([tensor])
    decoded = decode(*regressors_and_logits(raw, detector), detector)
    suppressed = suppress(decoded, detector.min_suppression_threshold, by_class=by_class)
    return Trace(tensor, raw, decoded, suppressed, remove_letterbox(suppressed, padding))
