"""What each design is worth on photographs: `tox exec -e bench -- python -m benchmarks.gestures FOLDER`.

FOLDER has a sub-folder for each label. Every design is trained through the public API on the same pictures and judged
on the same held-out ones, beside MediaPipe's own way: 21 landmarks, and a logistic regression on them.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import converter
from benchmarks.pages.page import table
from benchmarks.ways import Counted, Progress, Row, Trial, landmark_rows, named
from converter import zoo
from converter.detectors.labels import Labels
from converter.errors import UnliteError
from converter.files import whole_file
from converter.surgery.heads import DESIGNS
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT
from unlite.cost.latency import Contender, Spread, interleave
from unlite.detection.pipeline import detect
from unlite.detection.second_stage import NONE, SecondStage
from unlite.training.data import read_dataset
from unlite.training.data.records import Dataset, Example
from unlite.training.finetuning import finetune
from unlite.training.judging.judge import LEAST_SCORE
from unlite.training.lessons.placing import place
from unlite.training.lessons.regions import HANDS
from unlite.training.lessons.source import Source, litert_runner
from unlite.training.result import Finetuned
from unlite.training.settings import TWO_STAGE, TrainingSettings

DETECTOR = "unchanged detector"
PAUSE = 10.0  # seconds between two lines about the same stage


def train(trial: Trial, design: Any) -> Finetuned:
    """One design, with the defaults of `unlite finetune`."""
    settings = TrainingSettings(design=design, copies=trial.copies)
    if trial.epochs:
        settings = replace(settings, course=replace(settings.course, epochs=trial.epochs))
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
    start = time.perf_counter()
    told: dict[str, float] = {}  # of the stage that is going on

    def tell(what: str) -> None:
        stage, now = re.sub(r"\d.*", "", what), time.perf_counter() - start
        if now - told.get(stage, -PAUSE) >= PAUSE:
            told.clear()
            told[stage] = now
            sys.stderr.write(f"{now:7.0f} s  {what}\n")
            sys.stderr.flush()

    return tell


if __name__ == "__main__":
    main()
