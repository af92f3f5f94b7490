"""A trained model on pictures that it has not seen, run as `unlite detect` would run it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from converter.detectors.table import Detector
from unlite.detection.images import load_picture
from unlite.detection.pipeline import Detections, Pixels, detect
from unlite.training.judging.evaluate import Evaluation, Truth, evaluate
from unlite.training.lessons.placing import Placed
from unlite.training.lessons.regions import Regions
from unlite.training.lessons.source import Source
from unlite.training.lessons.targets import IGNORED

# Down to which score detections are judged: what a precision-recall curve needs.
LEAST_SCORE = 0.02
Progress = Callable[[str], None]
Find = Callable[[Pixels], Detections]


def judge(  # noqa: PLR0913 - what is judged, on what, and from which score on
    model: Any,
    detector: Detector,
    placed: Sequence[Placed],
    labels: Sequence[str],
    progress: Progress = lambda _: None,
    *,
    threshold: float | None = None,
) -> Evaluation:
    """Evaluate a detector.

    Args:
        model: A `keras.Model`.
        detector: What its tensors mean.
        placed: Pictures, and where their objects are.
        labels: Names of its classes.
        progress: Called with what is being done.
        threshold: The score from which on a detection counts; default: the one that these pictures suggest.
    """
    run, patient = Source.of(model, detector).make_run(), replace(detector, min_score=LEAST_SCORE)
    return _judged(lambda picture: detect(run, patient, picture).final, placed, labels, progress, threshold)


def judge_second_stage(
    regions: Regions,
    placed: Sequence[Placed],
    progress: Progress = lambda _: None,
    *,
    threshold: float | None = None,
) -> tuple[Evaluation, Evaluation]:
    """Evaluate a detector and its second stage.

    Args:
        regions: With a trained model.
        placed: Pictures, and where their objects are.
        progress: Called with what is being done.
        threshold: As in `judge`.

    Returns:
        With room around the pictures, and at their own scale alone; see `unlite.detection.near`.
    """
    near = _judged(regions.finder(near=True), placed, regions.labels, progress, threshold)
    return near, _judged(regions.finder(near=False), placed, regions.labels, progress, near.threshold)


def _judged(
    find: Find, placed: Sequence[Placed], labels: Sequence[str], progress: Progress, threshold: float | None = None
) -> Evaluation:
    return evaluate(*looked_at(find, placed, progress), labels, threshold=threshold)


def looked_at(
    find: Find, placed: Sequence[Placed], progress: Progress = lambda _: None
) -> tuple[list[Detections], list[Truth]]:
    """What is found in pictures, and what is there: what `unlite.training.evaluate.evaluate` takes.

    Args:
        find: Finds something in a picture, RGB [H, W, 3].
        placed: Pictures, and where their objects are.
        progress: Called with what is being done.
    """
    found: list[Detections] = []
    truth: list[Truth] = []
    for number, each in enumerate(placed, start=1):
        progress(f"judging, picture {number}/{len(placed)}")
        picture = load_picture(each.example.path)
        found.append(find(picture))
        is_object = each.objects.classes != IGNORED
        boxes, classes = each.objects.boxes_xywh[is_object], each.objects.classes[is_object]
        truth.append(Truth(boxes, classes, picture.shape[:2]))
    return found, truth
