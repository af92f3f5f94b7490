"""A detector ready to look at pictures, from a file of either kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import converter
from converter import detectors
from converter.detectors import Detector
from converter.errors import BadDetector
from parity.detection.decoding import Detections
from parity.detection.pipeline import detect
from parity.detection.sampling import Floats, Pixels
from parity.runners import LiteRT, Run, keras_runner

# How far two models' results may be apart and still be the same, as a share of the picture or of the score.
# MediaPipe's own two kernel sets are up to 2.2e-6 apart.
SAME = 1e-5
MATCH = 0.5  # intersection over union from which on two boxes are about the same thing


@dataclass(frozen=True, slots=True)
class Finder:
    """A model and what its tensors mean.

    Attributes:
        name: What to call it.
    """

    name: str
    run: Run
    detector: Detector

    def __call__(self, picture: Pixels) -> Detections:
        """What it finds in an RGB picture [H, W, 3], as shares of the picture."""
        return detect(self.run, self.detector, picture).final


def load_finder(path: Path, detector: Detector | None = None) -> Finder:
    """Load a detector.

    Args:
        path: `.tflite`, which runs in LiteRT, or `.keras`.
        detector: What its tensors mean; default: the known detector that has such tensors.

    Raises:
        BadDetector: It is no detector that is known.
        UnliteError: It cannot be read.
    """
    run, taken, given = load_run(path)
    if len(taken) != 1:
        raise BadDetector(f"{path} takes {len(taken)} inputs; a detector takes one picture")
    found = detector or detectors.for_shapes(taken[0], given)
    if tuple(taken[0]) != (found.height, found.width, 3):
        size = "×".join(map(str, taken[0]))
        raise BadDetector(f"{path} takes {size}; detector {found.name!r} has pictures of {found.height}×{found.width}")
    return Finder(path.name, run, found)


def load_run(path: Path) -> tuple[Run, list[Any], list[Any]]:
    """How to run a `.tflite` or `.keras` file; the shapes of its inputs, and of its outputs, without the batch."""
    return _keras(path) if path.suffix == ".keras" else _litert(path)


def _keras(path: Path) -> tuple[Run, list[Any], list[Any]]:
    model = converter.load(path)
    return keras_runner(model), [x.shape[1:] for x in model.inputs], [x.shape[1:] for x in model.outputs]


def _litert(path: Path) -> tuple[Run, list[Any], list[Any]]:
    model = converter.read(path)
    taken, given = (
        [model.graph.tensors[index].shape[1:] for index in ends] for ends in (model.graph.inputs, model.graph.outputs)
    )
    return LiteRT(model.data, "xnnpack").run, taken, given


@dataclass(frozen=True, slots=True)
class Difference:
    """How two models' detections of one picture differ.

    Attributes:
        pairs: (row of the first, row of the second) for what both find.
        only_first: Rows that the second lacks.
        only_second: Rows that the first lacks.
        box: Largest difference of a box's edge, as a share of the picture.
        keypoint: Of a keypoint.
        score: Of a score.
    """

    pairs: tuple[tuple[int, int], ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    box: float
    keypoint: float
    score: float

    @property
    def is_same(self) -> bool:
        """Whether both find the same."""
        return not self.only_first and not self.only_second and max(self.box, self.keypoint, self.score) <= SAME

    def __str__(self) -> str:
        if not self.pairs and self.is_same:
            return "same: nothing found by both"
        if self.is_same:
            apart = max(self.box, self.keypoint, self.score)
            return f"same: {len(self.pairs)} found by both, at most {apart:.1g} apart"
        parts = [f"{len(self.only_first)} only by the first"] if self.only_first else []
        parts += [f"{len(self.only_second)} only by the second"] if self.only_second else []
        if self.pairs:
            measured = f"{self.box:.2g} (box), {self.keypoint:.2g} (keypoint), {self.score:.2g} (score)"
            parts.append(f"{len(self.pairs)} by both, up to {measured} apart")
        return "differs: " + "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "same": self.is_same,
            "text": str(self),
            "only_here": list(self.only_first),
            "only_there": list(self.only_second),
            "largest_difference": {"box": self.box, "keypoint": self.keypoint, "score": self.score},
        }


def difference(first: Detections, second: Detections) -> Difference:
    """Pair what overlaps most, and measure."""
    overlaps = _overlaps(_corners(first), _corners(second))
    pairs = []
    while overlaps.size and overlaps.max() >= MATCH:
        row, column = (int(index) for index in np.unravel_index(overlaps.argmax(), overlaps.shape))
        pairs.append((row, column))
        overlaps[row, :] = overlaps[:, column] = -1
    pairs.sort()
    rows, columns = [row for row, _ in pairs], [column for _, column in pairs]

    def largest(a: Floats, b: Floats) -> float:
        return float(np.abs(a[rows] - b[columns]).max(initial=0))

    return Difference(
        tuple(pairs),
        tuple(sorted(set(range(len(first))) - set(rows))),
        tuple(sorted(set(range(len(second))) - set(columns))),
        largest(_corners(first), _corners(second)),
        largest(first.keypoints_xy, second.keypoints_xy),
        largest(first.scores, second.scores),
    )


def _corners(found: Detections) -> Floats:
    low = found.boxes_xywh[:, :2]
    return np.concatenate([low, low + found.boxes_xywh[:, 2:]], axis=1)


def _overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of all pairs, [D, E]."""
    a, b = first[:, None], second[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    common = sides.prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - common
    made: Floats = common / np.where(union > 0, union, 1)
    return made


def as_rows(found: Detections, detector: Detector, size: Sequence[int]) -> list[dict[str, Any]]:
    """For JSON: pixels of the picture.

    Args:
        found: Shares of the picture.
        detector: What found them.
        size: Height and width of the picture.
    """
    scale = np.array([size[1], size[0]], np.float32)
    rows = []
    for box, points, score, class_ in zip(
        found.boxes_xywh, found.keypoints_xy, found.scores, found.classes, strict=True
    ):
        left, top, width, height = (box.reshape(2, 2) * scale).ravel().tolist()
        named = zip(detector.keypoints, (points * scale).tolist(), strict=True)
        rows.append(
            {
                "score": float(score),
                "class": int(class_),
                "box": {"left": left, "top": top, "width": width, "height": height},
                "keypoints": dict(named),
            }
        )
    return rows
