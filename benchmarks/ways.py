"""What every way of telling gestures apart shares, and MediaPipe's own way: landmarks and a logistic regression."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter import zoo
from converter.detectors.labels import Labels
from parity.runners.runtimes import Array, LiteRT, Run
from unlite.detection.images import load_picture
from unlite.detection.landmarks import LANDMARKS, SIZE
from unlite.detection.pipeline import Detections, Floats, Pixels
from unlite.detection.second_stage import SecondStage, cut_region
from unlite.training.data.records import Dataset
from unlite.training.judging.evaluate import Truth, evaluate
from unlite.training.judging.judge import looked_at
from unlite.training.lessons.placing import Placed
from unlite.training.lessons.regions import HANDS, find_and_name, labelled
from unlite.training.lessons.source import Source

# Base of the middle finger, of the 21 landmarks: with the wrist it says where a hand points.
MIDDLE = 9
PENALTY = 10.0  # inverse strength of the logistic regression's, as good as 1 and 100
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One way of telling gestures apart.

    Attributes:
        way: What it is called.
        accuracy: Right class in the right place at the suggested threshold: share of the objects.
        top1: Share of the pictures in which what is found with the highest score has the right class.
        map50: Mean average precision at IoU 0.5.
        threshold: The suggested one.
        minutes: To train; finding the objects is in it.
        detector_runs: Of the detector, per picture.
        second_runs: Of what runs behind it, per picture.
        times: Milliseconds of all networks, as a multiple of the unchanged detector's; NaN: not measured yet.
    """

    way: str
    accuracy: float
    top1: float
    map50: float
    threshold: float
    minutes: float
    detector_runs: float
    second_runs: float
    times: float = float("nan")


class Counted:
    """A runner that counts how often it runs."""

    def __init__(self, run: Run) -> None:
        self.run, self.count = run, 0

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Run it."""
        self.count += 1
        return list(self.run(inputs))


@dataclass(frozen=True)
class Trial:
    """What all ways share.

    Attributes:
        source: The detector.
        dataset: With its split.
        placed: The pictures, and where their objects are.
        epochs: Most passes; None: as many as `unlite finetune` makes.
        copies: Variations of each picture; None: as many as `unlite finetune` makes.
        progress: Called with what is being done.
    """

    source: Source
    dataset: Dataset
    placed: Sequence[Placed]
    epochs: int | None
    copies: int | None
    progress: Progress

    def side(self, split: Literal["train", "val"]) -> list[Placed]:
        """The pictures of one side."""
        return [each for each in self.placed if each.example.split == split]

    def judged(self, way: str, find: Callable[[Pixels], Detections], runs: Sequence[Counted], minutes: float) -> Row:
        """One row; `runs` are the detector and, perhaps, what runs behind it."""
        for run in runs:
            run.count = 0
        held_out = self.side("val")
        found, truth = looked_at(find, held_out, lambda what: self.progress(f"{way}: {what}"))
        made = evaluate(found, truth, self.dataset.labels)
        counts = [run.count / len(held_out) for run in runs] + [0.0]
        return Row(way, made.accuracy, top1(found, truth), made.map50, made.threshold, minutes, counts[0], counts[1])


def top1(found: Sequence[Detections], truth: Sequence[Truth]) -> float:
    """Share of the pictures with one object in which the best detection has its class, wherever it is."""
    single = [(each, there) for each, there in zip(found, truth, strict=True) if len(there.classes) == 1]
    right = [len(each) > 0 and each.classes[each.scores.argmax()] == there.classes[0] for each, there in single]
    return float(np.mean(right)) if right else float("nan")


def named(trial: Trial, way: str, stage: SecondStage, minutes: float) -> Iterator[Row]:
    """How good a detector and a second stage are together."""
    second = Counted(stage.run)
    stage, detector = replace(stage, run=second), Counted(trial.source.make_run())
    for near in (False, True):
        find = partial(find_and_name, detector, stage, near=near)
        yield trial.judged(f"{way}, near" if near else way, find, [detector, second], minutes)


def normalized(landmarks: Floats, *, upright: bool) -> NDArray[np.float64]:
    """[N, 63] → [N, 42]: x and y from the wrist on, the largest of them 1; turned so that the fingers point up."""
    points = landmarks.reshape(-1, LANDMARKS, 3)[..., :2].astype(np.float64)
    points -= points[:, :1]
    if upright:
        angles = np.arctan2(points[:, MIDDLE, 0], -points[:, MIDDLE, 1])
        cos, sin = np.cos(angles), np.sin(angles)
        turns = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
        points = np.einsum("nij,nkj->nki", turns, points)
    points /= np.maximum(np.abs(points).max(axis=(1, 2), keepdims=True), 1e-6)
    return points.reshape(len(points), -1)


def landmark_rows(trial: Trial) -> Iterator[Row]:
    """MediaPipe's way: a hand's landmarks, and a logistic regression that knows nothing else."""
    start = time.perf_counter()
    detector, hands = trial.source.detector, LiteRT(converter.read(zoo.fetch(HANDS)).data, "xnnpack")
    subjects = [subject for each in trial.side("train") for subject in labelled(each, detector)]
    landmarks, classes = [], np.array([subject.class_ for subject in subjects])
    for number, subject in enumerate(subjects, start=1):
        trial.progress(f"landmarks: picture {number}/{len(subjects)}")
        region = cut_region(subject.found, detector, load_picture(subject.path), (SIZE, SIZE))
        landmarks.append(hands.run([region])[0].reshape(-1))
    measured = (time.perf_counter() - start) / 60
    for upright in (False, True):
        start = time.perf_counter()
        regression = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=5000))
        regression.fit(normalized(np.stack(landmarks), upright=upright), classes)
        labels = Labels(tuple(trial.dataset.labels[each] for each in regression.classes_))

        def run(
            inputs: Sequence[Array], regression: Any = regression, upright: Any = upright, labels: Labels = labels
        ) -> list[Array]:
            found = normalized(hands.run(inputs)[0].reshape(1, -1), upright=upright)
            logits = np.full((1, len(trial.dataset.labels)), -100.0, np.float32)
            logits[0, [trial.dataset.labels.index(name) for name in labels.names]] = regression.predict_log_proba(found)
            return [logits]

        stage = SecondStage(run, (SIZE, SIZE), Labels(trial.dataset.labels), detector)
        way = "landmarks, upright + regression" if upright else "landmarks + regression"
        yield from named(trial, way, stage, measured + (time.perf_counter() - start) / 60)
