"""A detector ready to look at pictures, from a file of either kind."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

import converter
from converter import detectors
from converter.detectors.labels import Labels, check_score, labels_of, own_labels
from converter.detectors.table import Detector
from converter.errors import BadDetector
from parity.runners.runtimes import EAGER, Array, LiteRT, Run, keras_runner
from unlite.detection.near import look_near
from unlite.detection.pipeline import (
    Detections,
    Floats,
    Pixels,
    check_outputs,
    class_count,
    detect,
    intersection_over_union,
)

# How far two models' results may be apart and still be the same, as a share of the picture or of the score.
# MediaPipe's own two kernel sets are up to 2.2e-6 apart.
SAME = 1e-5
MATCH = 0.5  # intersection over union from which on two boxes are about the same thing


@dataclass(frozen=True, slots=True)
class Named:
    """What something that was found is called.

    Attributes:
        label: Of its class.
        probability: How sure a second stage is of it; None: there was none.
    """

    label: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Finder:
    """A model and what its tensors mean.

    Attributes:
        name: What to call it.
        detector: Its least score is the one that holds here.
        labels: What its classes are called, as its file says.
        by_class: Whether only what is of one class can be found twice, see `unlite.detection.pipeline.suppress`.
        near: Whether it looks again with room around the picture, see `unlite.detection.near`.
    """

    name: str
    run: Run
    detector: Detector
    labels: Labels | None = None
    by_class: bool = False
    near: bool = False

    def __call__(self, picture: Pixels) -> Detections:
        """What it finds in an RGB picture [H, W, 3], as shares of the picture."""
        if self.near:
            return look_near(self.run, self.detector, picture, by_class=self.by_class)
        return detect(self.run, self.detector, picture, by_class=self.by_class).final

    def names(self, found: Detections) -> list[Named]:
        """What each of them is called; empty where the model has no labels."""
        return [Named(self.labels.names[each]) for each in found.classes.tolist()] if self.labels else []


def load_finder(
    path: Path,
    detector: Detector | None = None,
    *,
    min_score: float | None = None,
    by_class: bool = False,
    near: bool = False,
) -> Finder:
    """Load a detector.

    Args:
        path: `.tflite`, which runs in LiteRT, or `.keras`.
        detector: What its tensors mean; default: the known detector that has such tensors.
        min_score: What scores less is dropped; default: what the file suggests, or else the detector's.
        by_class: See `Finder`.
        near: See `Finder`.

    Raises:
        BadDetector: It is no detector that is known, its labels are not as many as its classes, or the least score is
            none.
        UnliteError: It cannot be read.
    """
    check_score("min_score", min_score)
    loaded = load_run(path)
    if len(loaded.taken) != 1:
        raise BadDetector(f"{path} takes {len(loaded.taken)} inputs; a detector takes one picture")
    (taken,) = loaded.taken
    found = detector or detectors.for_shapes(taken, loaded.given)
    if taken != (found.height, found.width, 3):
        size = "×".join(map(str, taken))
        raise BadDetector(f"{path} takes {size}; detector {found.name!r} has pictures of {found.height}×{found.width}")
    check_outputs(loaded.given, found)
    labels = loaded.labels
    if labels:
        labels.check(class_count(loaded.given, found), path.name)
        min_score = labels.threshold if min_score is None else min_score
    if min_score is not None:
        found = replace(found, min_score=min_score)
    return Finder(path.name, loaded.run, found, labels, by_class, near)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that can be run, the shapes of what it takes and gives, without the batch, and its labels."""

    run: Run
    taken: list[tuple[int, ...]]
    given: list[tuple[int, ...]]
    labels: Labels | None = None


def load_run(path: Path) -> Loaded:
    """How to run a `.tflite` or `.keras` file.

    Raises:
        BadDetector: It takes or gives other types than float32, or several pictures at once.
        UnliteError: It cannot be read.
    """
    return _keras(path) if path.suffix == ".keras" else _litert(path)


def _keras(path: Path) -> Loaded:
    model = converter.load(path)
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise BadDetector(f"{path} has no fixed inputs and outputs", hint="build it with keras.Input")
    taken, given = ([tuple(x.shape[1:]) for x in ends] for ends in (inputs, outputs))
    return Loaded(keras_runner(model, EAGER), taken, given, labels_of(model))


def _litert(path: Path) -> Loaded:
    model = converter.read(path)
    graph = model.graph
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype != "FLOAT32" or tensor.shape[:1] != (1,):
            what = f"{tensor.dtype} {tensor.shape}"
            raise BadDetector(f"{path}: {tensor} is {what}, expected float32 and one picture at a time")
    taken, given = ([graph.tensors[index].shape[1:] for index in ends] for ends in (graph.inputs, graph.outputs))
    return Loaded(_in_each_thread(lambda: LiteRT(model.data, "xnnpack").run), taken, given, own_labels(model))


def _in_each_thread(make: Callable[[], Run]) -> Run:
    """A runner that several threads may call at once: each has its own."""
    own = local()
    own.run = make()  # at once, here: what cannot be run is told before it is run

    def run(inputs: Sequence[Array]) -> list[Array]:
        if not hasattr(own, "run"):
            own.run = make()
        made: list[Array] = own.run(inputs)
        return made

    return run


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
        is_close = all(apart <= SAME for apart in (self.box, self.keypoint, self.score))  # so written, NaN is not
        return not self.only_first and not self.only_second and is_close

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
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            "largest_difference": {name: _finite(getattr(self, name)) for name in ("box", "keypoint", "score")},
        }


def difference(first: Detections, second: Detections) -> Difference:
    """Pair what overlaps most and is of the same class, and measure."""
    boxes, others = first.corners(), second.corners()
    overlaps = np.array([intersection_over_union(box, others) for box in boxes]).reshape(len(first), len(second))
    overlaps[first.classes[:, None] != second.classes[None]] = -1
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
        largest(boxes, others),
        largest(first.keypoints_xy, second.keypoints_xy),
        largest(first.scores, second.scores),
    )


def as_rows(
    found: Detections, detector: Detector, size: Sequence[int], names: Sequence[Named] = ()
) -> list[dict[str, Any]]:
    """For JSON: in pixels of a picture of this height and width; None for what is not finite.

    Args:
        found: What was found.
        detector: What its keypoints are called.
        size: Height and width of the picture.
        names: Of each of them, where the model has labels.
    """
    scale, sides = np.array([size[1], size[0]], np.float32), ("left", "top", "width", "height")
    boxes, keypoints = found.boxes_xywh * np.tile(scale, 2), found.keypoints_xy * scale
    columns = (each.tolist() for each in (found.scores, found.classes, boxes, keypoints))
    called = [{key: value for key, value in asdict(each).items() if value is not None} for each in names]
    return [
        {
            "score": score,
            "class": class_,
            **labelled,
            "box": dict(zip(sides, map(_finite, box), strict=True)),
            "keypoints": {
                name: list(map(_finite, point)) for name, point in zip(detector.keypoints, points, strict=True)
            },
        }
        for score, class_, box, points, labelled in zip(*columns, called or [{}] * len(found), strict=True)
    ]


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if isfinite(value) else None
