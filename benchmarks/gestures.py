"""What each design is worth on photographs: `tox exec -e bench -- python -m benchmarks.gestures FOLDER`.

FOLDER has a sub-folder for each label. Every design is trained through the public API on the same pictures and judged
on the same held-out ones, beside MediaPipe's own way: 21 landmarks, and a logistic regression on them.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from benchmarks.heads_page import table
from converter import zoo
from converter.detectors.labels import Labels
from converter.errors import UnliteError
from converter.files import whole_file
from converter.surgery.heads import DESIGNS
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.runtimes import Array, LiteRT, Run
from unlite.cost.latency import Contender, Spread, interleave
from unlite.detection.images import load_picture
from unlite.detection.landmarks import LANDMARKS, MIDDLE_BASE, SIZE, WRIST
from unlite.detection.pipeline import Detections, Floats, Pixels, detect
from unlite.detection.second_stage import NONE, SecondStage, cut_region
from unlite.training.data import read_dataset
from unlite.training.data.records import Dataset, Example
from unlite.training.finetuning import finetune
from unlite.training.fitting.loop import Course
from unlite.training.judging.evaluate import Truth, evaluate
from unlite.training.judging.judge import LEAST_SCORE, looked_at
from unlite.training.lessons.placing import Placed, place
from unlite.training.lessons.regions import HANDS, find_and_name, labelled
from unlite.training.lessons.source import Source, litert_runner
from unlite.training.result import Finetuned
from unlite.training.settings import TWO_STAGE, TrainingSettings

DETECTOR = "unchanged detector"
# Base of the middle finger, of the 21 landmarks: with the wrist it says where a hand points.
MIDDLE = 9
assert (WRIST, MIDDLE_BASE) == (0, 2)
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


def train(trial: Trial, design: Any) -> Finetuned:
    """One design, with the defaults of `unlite finetune`."""
    settings = TrainingSettings(design=design, copies=trial.copies)
    if trial.epochs:
        settings = replace(settings, course=replace(Course(), epochs=trial.epochs))
    return finetune(
        trial.source.file, trial.dataset, settings, progress=lambda what: trial.progress(f"{design}: {what}")
    )


def rows_of(trial: Trial, tuned: Finetuned) -> Iterator[Row]:
    """How good a design is; of a second stage, with one look at each picture, and with several."""
    design, minutes = tuned.settings.design, sum(tuned.seconds.values()) / 60
    network = Counted(litert_runner(tuned.model)())
    if design == TWO_STAGE:
        height, width = tuned.model.inputs[0].shape[1:3]
        labels = Labels((*trial.dataset.labels, NONE))
        yield from named(trial, design, SecondStage(network, (height, width), labels, trial.source.detector), minutes)
        return
    patient = replace(trial.source.detector, min_score=LEAST_SCORE)
    yield trial.judged(design, lambda picture: detect(network, patient, picture).final, [network], minutes)


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


def timed(trial: Trial, tuned: Sequence[Finetuned], seconds: float) -> dict[str, Spread]:
    """Milliseconds of every network as a multiple of the unchanged detector's, in LiteRT, in interleaved rounds."""
    original = trial.source.file
    assert original is not None
    hands = converter.read(zoo.fetch(HANDS))
    files = {DETECTOR: bytes(original.data), "landmarks": bytes(hands.data)}
    for each in tuned:
        is_second = each.settings.design == TWO_STAGE
        files[each.settings.design] = write(None if is_second else original, each.model)
    contenders: dict[str, Contender] = {}
    for name, data in files.items():
        example = seeded_inputs(converter.read(data).graph, 1)[0]
        contenders[name] = partial(LiteRT(data, "xnnpack").run, example)
    timings = interleave(
        contenders, rounds=300, seconds=seconds, progress=lambda done, all_: trial.progress(f"round {done} of {all_}")
    )
    return {name: timings.ratio([name], [DETECTOR]) for name in files}


def with_times(row: Row, ratios: dict[str, Spread]) -> Row:
    """What all networks of a row take per picture, by how often each of them runs."""
    name = row.way.partition(",")[0].partition(" ")[0]
    if name not in ratios:
        return row
    own = ratios[name].median
    times = row.detector_runs + row.second_runs * own if name in ("landmarks", TWO_STAGE) else own
    return replace(row, times=times)


def held_out(dataset: Dataset, pattern: str | None, count: int | None) -> Dataset:
    """The data set with a split: what matches is held out, or the so many pictures with the highest numbers."""
    last: set[Path] = set()
    if count:
        paths = sorted((each.path for each in dataset.examples), key=lambda path: (_number(path), path.as_posix()))
        last = set(paths[-count:])

    def side(example: Example) -> Example:
        is_held = bool(pattern and re.search(pattern, example.path.as_posix())) or example.path in last
        return replace(example, split="val" if is_held else "train")

    return replace(dataset, examples=tuple(map(side, dataset.examples)))


def _number(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else -1


def main() -> None:
    """Train, judge, time; the document is written again after each way, so that nothing is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a sub-folder for each label")
    parser.add_argument("--model", default="palm_detection_full", help="a palm detector")
    parser.add_argument("--held-out", metavar="REGEX", help="pictures whose path matches are held out")
    parser.add_argument("--held-out-last", type=int, metavar="N", help="the N pictures with the highest numbers are")
    parser.add_argument("--designs", default=",".join(DESIGNS), help="default: %(default)s")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--copies", type=int)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure times")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the numbers as well")
    arguments = parser.parse_args()
    progress = teller()
    source = Source.of(zoo.find(arguments.model))
    dataset = held_out(read_dataset(arguments.folder), arguments.held_out, arguments.held_out_last)
    placing = place(
        dataset, source.make_run, source.detector, lambda done, all_: progress(f"finding the objects {done}/{all_}")
    )
    trial = Trial(source, dataset, placing.placed, arguments.epochs, arguments.copies, progress)
    rows: list[Row] = []
    tuned: list[Finetuned] = []
    failed: dict[str, str] = {}

    def keep(more: Iterator[Row]) -> None:
        rows.extend(more)
        if arguments.json:
            _write(arguments.json, trial, rows, failed)

    for design in filter(None, arguments.designs.split(",")):
        try:
            tuned.append(train(trial, design))
            keep(rows_of(trial, tuned[-1]))
        except UnliteError as error:  # the others are worth knowing all the same
            failed[design] = str(error)
            progress(f"{design} FAILED: {error}")
    keep(landmark_rows(trial))
    ratios = timed(trial, tuned, arguments.seconds)
    rows[:] = [with_times(row, ratios) for row in rows]
    keep(iter(()))
    sys.stdout.write(f"{as_text(trial, rows)}\n")


def as_text(trial: Trial, rows: Sequence[Row]) -> str:
    """A table, and what it is about."""
    columns = ["way", "#right class and place", "#right class", "#mAP@0.5", "#minutes", "#× unchanged"]
    cells = (
        [row.way, *(f"{x:.3f}" for x in (row.accuracy, row.top1, row.map50)), f"{row.minutes:.1f}", f"{row.times:.2f}"]
        for row in rows
    )
    sides = f"{len(trial.side('train'))} pictures to learn from, {len(trial.side('val'))} held out"
    return f"{trial.source.name}, {len(trial.dataset.labels)} labels, {sides}\n\n{table(columns, cells)}"


def _write(path: Path, trial: Trial, rows: Sequence[Row], failed: dict[str, str]) -> None:
    sides = {side: len(trial.side(side)) for side in ("train", "val")}
    document: dict[str, Any] = {
        "model": trial.source.name,
        "labels": list(trial.dataset.labels),
        "pictures": sides,
        "failed": failed,
    }
    document["ways"] = [{name: _finite(value) for name, value in asdict(row).items()} for row in rows]
    with whole_file(path) as whole:
        whole.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def teller() -> Progress:
    """Says what is being done on stderr: each stage as it begins, and every ten seconds how far it is."""
    start, stages, times = time.perf_counter(), [""], [0.0]

    def tell(what: str) -> None:
        stage, now = re.sub(r"[\d/.]+.*", "", what), time.perf_counter() - start
        if stage != stages[-1] or now - times[-1] > 10:
            stages[-1], times[-1] = stage, now
            sys.stderr.write(f"{now:7.0f} s  {what}\n")
            sys.stderr.flush()

    return tell


if __name__ == "__main__":
    main()
