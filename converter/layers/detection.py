"""A detector's stages as layers: from pictures to input tensors, from raw tensors to boxes.

Sources: see `unlite.detection`, which has the same in numpy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import KerasTensor, ops

from converter.detectors.letterbox import Padding, letterbox, offset_and_extent, whole
from converter.detectors.table import Detector, anchors
from converter.layers.base import ConfiguredLayer, Shape, register

STEPS = 32  # OpenCV interpolates at 32nds of a pixel
MAX_LOGIT = 100.0


@register
class Letterbox(ConfiguredLayer):
    """Fit pictures into an input tensor: bilinear, no half-pixel centres, black around them, in bytes.

    Args:
        height: Of the tensor.
        width: Of the tensor.
        value_range: What black and white become.
    """

    def __init__(self, height: int, width: int, value_range: Sequence[float] = (0.0, 1.0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width, self.value_range = height, width, tuple(value_range)

    def padding(self, height: int, width: int) -> Padding:
        """What pictures of this size get on each side."""
        return letterbox(whole(height, width), self.height, self.width)[1]

    def call(self, x: KerasTensor) -> KerasTensor:
        """[N, H, W, 3] from 0 to 255 → [N, height, width, 3]; H and W are fixed."""
        high, wide = x.shape[1:3]
        region, _ = letterbox(whole(high, wide), self.height, self.width)
        rows = _weights(high, self.height, region.y - region.height / 2, region.height)
        columns = _weights(wide, self.width, region.x - region.width / 2, region.width)
        # Weights are 32nds: all products and sums are exact.
        pixels = ops.einsum("rh,nhwc->nrwc", rows, ops.cast(x, "float32"))
        pixels = ops.floor(ops.einsum("sw,nrwc->nrsc", columns, pixels) + 0.5)
        low, top = self.value_range
        return pixels * float(np.float32((top - low) / 255)) + low

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """[N, height, width, 3]."""
        return (input_shape[0], self.height, self.width, input_shape[3])


def _weights(source: int, target: int, start: float, extent: float) -> Any:
    """How much of each source pixel is in each target pixel, [target, source]."""
    places = np.rint((np.arange(target) * (extent / target) + start) * STEPS).astype(int)
    made = np.zeros((target, source), np.float32)
    for row, place in enumerate(places):
        whole_, part = divmod(int(place), STEPS)
        for pixel, weight in ((whole_, STEPS - part), (whole_ + 1, part)):
            if 0 <= pixel < source:
                made[row, pixel] += weight / STEPS
    return made


@register
class RemoveLetterbox(ConfiguredLayer):
    """From shares of an input tensor to shares of the picture.

    Args:
        padding: What letterboxing added: left, top, right, bottom.
    """

    def __init__(self, padding: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = Padding(*padding)

    def call(self, boxes_xywh: KerasTensor, keypoints_xy: KerasTensor) -> list[KerasTensor]:
        """[N, D, 4] and [N, D, K, 2] → the same shapes."""
        # PyTorch does not compute with arrays of numpy where gradients are kept.
        offset, extent = map(ops.convert_to_tensor, offset_and_extent(self.padding))
        corner, size = (boxes_xywh[..., :2] - offset) / extent, boxes_xywh[..., 2:] / extent
        return [ops.concatenate([corner, size], axis=-1), (keypoints_xy - offset) / extent]

    def compute_output_shape(self, boxes_xywh_shape: Shape, keypoints_xy_shape: Shape) -> list[Shape]:
        """The same."""
        return [boxes_xywh_shape, keypoints_xy_shape]


@register
class DecodeDetections(ConfiguredLayer):
    """Raw tensors → boxes, keypoints and scores of all anchors, as shares of the input tensor.

    Args:
        detector: A `Detector`, or its fields.
    """

    def __init__(self, detector: Detector | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(detector, Detector):  # as it was saved
            fields: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in detector.items()}
            detector = Detector(**fields)
        self.detector = {name: getattr(detector, name) for name in Detector.__dataclass_fields__}
        self._anchors = anchors(detector)
        self._size = np.array([detector.width, detector.height], np.float32)

    def call(self, regressors: KerasTensor, logits: KerasTensor) -> list[KerasTensor]:
        """[N, A, 4 + 2K] and [N, A, C] → boxes_xywh [N, A, 4], keypoints_xy [N, A, K, 2], scores [N, A, C]."""
        count, values = regressors.shape[1:]
        size, centres = ops.convert_to_tensor(self._size), ops.convert_to_tensor(self._anchors)
        points = ops.reshape(regressors, (-1, count, values // 2, 2)) / size
        centre, half = points[:, :, 0] + centres, points[:, :, 1] / 2
        low, high = centre - half, centre + half
        boxes = ops.concatenate([low, high - low], axis=-1)
        scores = ops.sigmoid(ops.clip(logits, -MAX_LOGIT, MAX_LOGIT))
        return [boxes, points[:, :, 2:] + centres[:, None], scores]

    def compute_output_shape(self, regressors_shape: Shape, logits_shape: Shape) -> list[Shape]:
        """Boxes, keypoints, scores."""
        batch, count, values = regressors_shape
        return [(batch, count, 4), (batch, count, values // 2 - 2, 2), logits_shape]


@register
class SuppressDetections(ConfiguredLayer):
    """Weighted non-maximum suppression: what overlaps the best one becomes one with it, weighted by score.

    Args:
        min_score: What scores less is dropped.
        threshold: Intersection over union above which two are the same.
        max_detections: Rows of the result; what is not used is zero.
    """

    def __init__(self, min_score: float, threshold: float = 0.3, max_detections: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_score, self.threshold, self.max_detections = min_score, threshold, max_detections

    def call(self, boxes_xywh: KerasTensor, keypoints_xy: KerasTensor, scores: KerasTensor) -> list[KerasTensor]:
        """[N, A, 4], [N, A, K, 2], [N, A, C] → [N, D, 4], [N, D, K, 2], scores [N, D], classes [N, D], best first."""
        count, points = keypoints_xy.shape[1:3]
        best = ops.max(scores, axis=-1)
        corner, extent = boxes_xywh[..., :2], boxes_xywh[..., 2:]
        is_left = ops.logical_and(best >= self.min_score, ops.all(extent >= 0, axis=-1))
        flat = ops.reshape(keypoints_xy, (-1, count, 2 * points))
        values = ops.concatenate([corner, corner + extent, flat], axis=-1)
        values = ops.where(is_left[..., None], values, 0.0)
        heads = []
        for _ in range(self.max_detections):
            head = ops.argmax(ops.where(is_left, best, -1.0), axis=-1)
            chosen = ops.take_along_axis(values, head[:, None, None], axis=1)[:, 0]  # one row of each picture
            is_any = ops.any(is_left, axis=-1)
            is_same = ops.logical_and(is_left, _overlaps(chosen[:, None, :4], values[..., :4]) > self.threshold)
            weights = ops.where(is_same, best, 0.0)
            total = ops.sum(weights, axis=-1)[:, None]
            merged = ops.sum(values * weights[..., None], axis=1) / ops.where(total > 0, total, 1.0)
            merged = ops.where(total > 0, merged, chosen)  # a box without area is alone, and the last one
            heads.append((ops.where(is_any[:, None], merged, 0.0), head, is_any))
            is_left = ops.logical_and(ops.logical_and(is_left, ops.logical_not(is_same)), total > 0)
        made = ops.stack([merged for merged, _, _ in heads], axis=1)
        index = ops.stack([head for _, head, _ in heads], axis=1)
        is_used = ops.stack([is_any for _, _, is_any in heads], axis=1)
        kept = ops.where(is_used, ops.take_along_axis(best, index, axis=1), 0.0)
        classes = ops.where(is_used, ops.take_along_axis(ops.argmax(scores, axis=-1), index, axis=1), 0)
        boxes = ops.concatenate([made[..., :2], made[..., 2:4] - made[..., :2]], axis=-1)
        return [boxes, ops.reshape(made[..., 4:], (-1, self.max_detections, points, 2)), kept, classes]

    def compute_output_shape(
        self, boxes_xywh_shape: Shape, keypoints_xy_shape: Shape, scores_shape: Shape
    ) -> list[Shape]:
        """Boxes, keypoints, scores, classes."""
        rows = (boxes_xywh_shape[0], self.max_detections)
        return [(*rows, 4), (*rows, *keypoints_xy_shape[2:]), rows, rows]


def _overlaps(box: KerasTensor, boxes: KerasTensor) -> KerasTensor:
    """Intersection over union of corners; 0 where both are empty."""
    sides = ops.maximum(ops.minimum(box[..., 2:], boxes[..., 2:]) - ops.maximum(box[..., :2], boxes[..., :2]), 0.0)
    common = ops.prod(sides, axis=-1)
    union = ops.prod(box[..., 2:] - box[..., :2], axis=-1) + ops.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) - common
    return ops.where(union > 0, common / ops.where(union > 0, union, 1.0), 0.0)
