"""From a detector and a folder of pictures to a detector that knows their labels."""

import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from zlib import crc32

import converter
from converter.detectors.table import Detector
from converter.errors import BadData, OutputNotWritten
from unlite.training.data import read_dataset, split
from unlite.training.data.records import Dataset, Split
from unlite.training.fitting.loop import Trained, fit
from unlite.training.further import train_further
from unlite.training.judging.evaluate import Evaluation
from unlite.training.judging.judge import judge, judge_second_stage
from unlite.training.lessons.classes import Lessons
from unlite.training.lessons.features import LAST, check_folder, check_same, forget
from unlite.training.lessons.parts import Parts
from unlite.training.lessons.placing import Placed, Placing, place
from unlite.training.lessons.regions import Regions
from unlite.training.lessons.source import Source
from unlite.training.result import Finetuned
from unlite.training.settings import TWO_STAGE, Progress, TrainingSettings, counted

# About how many rows there are without being told, and how many of one picture at least and at most.
ROWS, FEWEST, MOST = 6000, 3, 16
SHOWN = 12  # variations to look at


def finetune(  # noqa: PLR0913 - settings, by keyword
    model: Any,
    data: Path | str | Dataset,
    settings: TrainingSettings | None = None,
    *,
    folder: Path | None = None,
    detector: Detector | None = None,
    progress: Progress = lambda _: None,
) -> Finetuned:
    """Teach a detector the labels of a set of pictures.

    Args:
        model: A `.tflite` or `.keras` file, or a `keras.Model`, which is not changed.
        data: A data set, see `unlite.training.data.read_dataset`.
        settings: How.
        folder: Where features, the state of training and the last pass's model are kept; a run that was interrupted
            goes on there. Default: a folder that is removed afterwards.
        detector: What the model's tensors mean; default: the known detector that has such tensors.
        progress: Called with what is being done.

    Raises:
        BadData: Nothing can be learned from the data.
        BadDetector: The model is no detector that is known.
        BadHead: The design does not fit the model.
        OutputNotWritten: There is no room for the features, or `folder` has something else in it than a run.
    """
    import keras

    settings = settings or TrainingSettings()
    settings.check()
    if folder:
        check_folder(folder)
    clock = Clock()
    source = Source.of(model, detector)
    dataset = data if isinstance(data, Dataset) else read_dataset(Path(data), settings.labels)
    dataset = split(dataset, settings.share, settings.seed, settings.group)
    keras.utils.set_random_seed(settings.seed)  # of the new layers' first weights
    lessons = _lessons(source, dataset, settings, progress)
    clock("reading")
    with ExitStack() as stack:
        work = folder or Path(stack.enter_context(TemporaryDirectory()))
        finding = counted("finding the objects, picture", progress)
        placing = place(dataset, source.make_run, source.detector, finding)
        sides = {name: [each for each in placing.placed if each.example.split == name] for name in get_args(Split)}
        _check(dataset, sides, placing, settings)
        check_same(work, _identity(settings, source, dataset))
        clock("finding objects")
        copies = settings.copies or min(max(ROWS // len(sides["train"]), FEWEST), MOST)
        train = lessons.rows(sides["train"], copies, settings.augmentation, settings.seed)
        validation = lessons.rows(sides["val"], 1, settings.augmentation, settings.seed)
        try:
            learned, checked = (
                rows.cache(work / name, counted(f"features of the pictures for {name},", progress))
                for name, rows in (("train", train), ("val", validation))
            )
        except OutputNotWritten:  # a full disk does not want to keep the half of it
            forget(work)
            raise
        clock("features")
        trained = fit(lessons.parts.head, lessons.losses, learned, checked, settings.course, work, progress)
        clock("training")
        if settings.train != "classes" and isinstance(lessons, Lessons):
            pictures, course = (sides["train"], sides["val"]), settings.course
            lessons, trained = train_further(
                lessons, settings.train, pictures, settings.augmentation, course, work, progress
            )
            clock(f"training {settings.train}")
        if folder:
            _keep_last(lessons.parts, trained, folder / LAST)
    evaluation, own_scale = _judge(lessons, source, sides, dataset, progress)
    clock("judging")
    tuned = replace(source.detector, min_score=evaluation.threshold)
    seen = tuple(train.seen(number) for number in train.examples(SHOWN))
    return Finetuned(
        name=source.name,
        model=lessons.parts.model,
        detector=tuned,
        dataset=dataset,
        placing=placing,
        seen=seen,
        trained=trained,
        evaluation=evaluation,
        settings=settings,
        seconds=clock.seconds,
        original=lessons.original if isinstance(lessons, Regions) else source.name,
        own_scale=own_scale,
    )


def _keep_last(parts: Parts, trained: Trained, path: Path) -> None:
    """Save the model as the last pass left it: it may be better on pictures that nobody held out."""
    best = parts.head.get_weights()
    parts.head.set_weights(trained.last)
    try:
        converter.save(parts.model, path)
    finally:
        parts.head.set_weights(best)


def _judge(
    lessons: Lessons | Regions, source: Source, sides: dict[Split, list[Placed]], dataset: Dataset, progress: Progress
) -> tuple[Evaluation, Evaluation | None]:
    """On pictures for testing, if there are any, from the score on that those for validation suggest."""

    def on(placed: list[Placed], threshold: float | None = None) -> tuple[Evaluation, Evaluation | None]:
        if isinstance(lessons, Regions):
            return judge_second_stage(lessons, placed, progress, threshold=threshold)
        return judge(lessons.parts.model, source.detector, placed, dataset.labels, progress, threshold=threshold), None

    held_out = on(sides["val"])
    return on(sides["test"], held_out[0].threshold) if sides["test"] else held_out


def _lessons(source: Source, dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Lessons | Regions:
    """What is to be trained."""
    if settings.design == TWO_STAGE:
        return Regions.of(source, dataset.labels, counted("looking for what is none of the labels, picture", progress))
    return Lessons.of(source, len(dataset.labels), settings.design, "classes", settings.tower)


def _check(dataset: Dataset, sides: dict[Split, list[Placed]], placing: Placing, settings: TrainingSettings) -> None:
    left_out = (
        f"; {len(placing.problems)} pictures were left out, e.g. {placing.problems[0]}" if placing.problems else ""
    )
    for name in get_args(Split):
        is_needed = name != "test" or sides["test"]
        if is_needed and not any(len(each.objects) for each in sides[name]):
            raise BadData(
                f"no object is left in the pictures for {name}{left_out}", hint="more pictures, or other ones"
            )
    if len(dataset.labels) == 1 and settings.design == "gated":
        raise BadData(
            "design='gated' tells labels apart and leaves to the detector whether something is there: it learns "
            f"nothing of {dataset.labels[0]!r} alone",
            hint="take another design, or add another label",
        )
    if len(dataset.labels) == 1 and all(len(each.objects) for each in sides["train"]):
        raise BadData(
            f"{dataset.labels[0]!r} is the only label, and every picture has it: there is nothing to tell apart",
            hint="add pictures without it, e.g. in a folder `none`",
        )


def _identity(settings: TrainingSettings, source: Source, dataset: Dataset) -> dict[str, Any]:
    """What a run depends on: another one has other features."""
    import keras

    pictures = [
        (str(each.path), each.path.stat().st_mtime_ns if each.path.exists() else 0, each.split, repr(each.annotations))
        for each in dataset.examples
    ]
    kept = asdict(settings)
    kept["course"].pop("tensorboard")
    return {
        "unlite": converter.__version__,
        "settings": repr(kept),
        "model": source.fingerprint(),
        "detector": repr(source.detector),
        "backend": keras.backend.backend(),
        "pictures": crc32(repr(pictures).encode()),
        "labels": list(dataset.labels),
    }


class Clock:
    """How long each stage takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """A stage has ended."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
