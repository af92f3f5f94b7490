"""From a detector and a folder of pictures to a detector that knows their labels."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args
from zlib import crc32

import converter
from converter.detectors.labels import Labels
from converter.detectors.table import Detector
from converter.errors import BadData, OutputNotWritten
from converter.surgery.heads import DESIGNS, Design
from converter.surgery.tower import Tower
from unlite.detection.images import load_picture
from unlite.detection.second_stage import NONE
from unlite.training.data import read_dataset, split
from unlite.training.data.records import Dataset, Problem, Split
from unlite.training.fitting.loop import Course, Trained, fit
from unlite.training.further import train_further
from unlite.training.judging.evaluate import Evaluation
from unlite.training.judging.judge import judge, judge_second_stage
from unlite.training.judging.report import Report
from unlite.training.lessons.augment import Augmentation, Seen, drawn
from unlite.training.lessons.classes import Lessons
from unlite.training.lessons.features import check_folder, check_same, forget
from unlite.training.lessons.parts import Parts
from unlite.training.lessons.placing import Placed, Placing, place
from unlite.training.lessons.regions import Regions
from unlite.training.lessons.source import Source

TWO_STAGE: Design = "two_stage"
Train = Literal["classes", "heads", "all"]
Progress = Callable[[str], None]
# About how many rows there are without being told, and how many of one picture at least and at most.
ROWS, FEWEST, MOST = 6000, 3, 16
LAST = "last.keras"
SHOWN = 12  # variations to look at


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to fine-tune.

    Attributes:
        design: How classes are computed, see `converter.surgery.heads.replace_classes`.
        train: What trains: `classes` (all else stays bit for bit), `heads` (the boxes' last layers as well), or `all`.
            Boxes that train are held by what the original says of the same pictures. Classes are trained first.
        tower: Size of the `tower` design.
        labels: Which labels, in which order; default: all of the data set.
        share: How much of the data is held out, where nothing says what is.
        group: What the data is split by, see `unlite.training.data.split`.
        copies: Variations of each picture, the first as it is; default: about 4,000 in all.
        augmentation: How far they vary.
        course: How long to train, and how fast.
        seed: Of the split, the variations, the first weights and the order; two runs with the same one end alike.
            Keras's own seed, and with it Python's and numpy's, is set to it.
    """

    design: Design = "tower"
    train: Train = "classes"
    tower: Tower = field(default_factory=Tower)
    labels: tuple[str, ...] | None = None
    share: float = 0.2
    group: str | None = None
    copies: int | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    course: Course = field(default_factory=Course)
    seed: int = 0

    def check(self) -> None:
        """Check that they make sense.

        Raises:
            BadData: One does not.
        """
        if self.design not in DESIGNS:
            raise BadData(f"there is no design={self.design!r}", hint=f"designs: {', '.join(DESIGNS)}")
        if self.design == TWO_STAGE and self.train != "classes":
            raise BadData(f"train={self.train!r}: design={TWO_STAGE!r} leaves the detector as it is", hint="classes")
        if self.train not in get_args(Train):
            raise BadData(f"train={self.train!r} says nothing", hint=f"one of {', '.join(get_args(Train))}")
        if not 0 < self.share < 1:
            raise BadData(f"share={self.share} of the pictures cannot be held out", hint="0.2 is usual")
        if self.copies is not None and self.copies < 1:
            raise BadData(f"copies={self.copies} leave no picture", hint="1 or more")
        if not 0 <= self.seed < 1 << 32:
            raise BadData(f"seed={self.seed} is no seed", hint="a number from 0 on")
        self.tower.check()
        self.course.check()


@dataclass(frozen=True)
class Finetuned:
    """What came of it.

    Attributes:
        name: What the original is called.
        model: The `keras.Model`: the detector with its new classes.
        detector: What its tensors mean, with the suggested threshold as least score.
        dataset: Pictures and labels, with their split.
        placing: Where the objects are, and how given boxes lie to the detector's own.
        seen: Some of the pictures as the network sees them.
        trained: Pass by pass.
        evaluation: On the held-out pictures.
        settings: How it was made.
        seconds: Stage → how long it took.
        original: Name of the file that the model was made from; empty: of none, and `name` is that of the detector
            whose regions it takes.
        own_scale: As `evaluation`, for a second stage that is not given a second look with room around the picture.
    """

    name: str
    model: Any
    detector: Detector
    dataset: Dataset
    placing: Placing
    seen: tuple[Seen, ...]
    trained: Trained
    evaluation: Evaluation
    settings: TrainingSettings
    seconds: dict[str, float] = field(default_factory=dict)
    original: str = ""
    own_scale: Evaluation | None = None

    @property
    def is_second_stage(self) -> bool:
        """Whether the model names what a detector finds, and is none itself."""
        return self.settings.design == TWO_STAGE

    @property
    def judged(self) -> list[Placed]:
        """The pictures that `evaluation` is about."""
        return [each for each in self.placing.placed if each.example.split == self.judged_split]

    @property
    def judged_split(self) -> Split:
        """`test` where there is one, or `val`."""
        return "test" if any(each.example.split == "test" for each in self.placing.placed) else "val"

    @property
    def labels(self) -> Labels:
        """What its classes are called, and from which score on they count."""
        names = (*self.dataset.labels, NONE) if self.is_second_stage else self.dataset.labels
        return Labels(names, self.evaluation.threshold, self.detector.name, self.original)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        relation = self.placing.relation
        return {
            "model": self.name,
            "labels": self.labels.as_dict(),
            "pictures": len(self.dataset.examples),
            "problems": [str(problem) for problem in self.problems],
            "boxes": relation.as_dict() if relation else None,
            "epochs": self.trained.epochs,
            "best_epoch": self.trained.best,
            "history": list(self.trained.rows),
            "evaluation": self.evaluation.as_dict(),
            "own_scale": self.own_scale.as_dict() if self.own_scale else None,
            "seconds": self.seconds,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody should know who reads the evaluation."""
        if not self.own_scale:
            return ()
        both = f"right class in the right place: {self.evaluation.accuracy:.1%} with a second look at room around"
        return (f"{both} what fills the picture (near), {self.own_scale.accuracy:.1%} without",)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that was left out."""
        return (*self.dataset.problems, *self.placing.problems)


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
    made, judged, own_scale = lessons.parts.model, sides["test"] or sides["val"], None
    if isinstance(lessons, Regions):
        evaluation, own_scale = judge_second_stage(lessons, judged, progress)
    else:
        evaluation = judge(made, source.detector, judged, dataset.labels, progress)
    clock("judging")
    tuned = replace(source.detector, min_score=evaluation.threshold)
    seen = tuple(train.seen(number) for number in train.examples(SHOWN))
    return Finetuned(
        name=source.name,
        model=made,
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


def report(tuned: Finetuned, command: str = "") -> Report:
    """The page about a run, see `unlite.training.judging.report.write_report`."""
    relation, labels = tuned.placing.relation, tuned.dataset.labels
    counts = {label: {str(side): n for side, n in sides.items()} for label, sides in tuned.dataset.counts().items()}
    return Report(
        title=f"{tuned.name}: {', '.join(labels)}",
        evaluation=tuned.evaluation,
        command=command,
        settings=asdict(tuned.settings),
        objects=counts,
        problems=[str(problem) for problem in tuned.problems],
        boxes=relation.as_dict() if relation else {},
        notes=[*([str(relation)] if relation else []), *tuned.notes],
        mosaic=[drawn(seen, tuned.detector, labels) for seen in tuned.seen],
        history=tuned.trained.rows,
        costs={stage: f"{seconds:.1f} s" for stage, seconds in tuned.seconds.items()},
        picture=lambda place: load_picture(tuned.judged[place].example.path),
        names=[str(each.example.path) for each in tuned.judged],
    )


def _keep_last(parts: Parts, trained: Trained, path: Path) -> None:
    """Save the model as the last pass left it: it may be better on pictures that nobody held out."""
    best = parts.head.get_weights()
    parts.head.set_weights(trained.last)
    try:
        converter.save(parts.model, path)
    finally:
        parts.head.set_weights(best)


def _lessons(source: Source, dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Lessons | Regions:
    """What is to be trained."""
    if settings.design == TWO_STAGE:
        return Regions.of(source, dataset.labels, counted("looking for what is none of the labels, picture", progress))
    return Lessons.of(source, len(dataset.labels), settings.design, "classes", settings.tower)


def _check(dataset: Dataset, sides: dict[Split, list[Placed]], placing: Placing, settings: TrainingSettings) -> None:
    left_out = (
        f"; {len(placing.problems)} pictures were left out, e.g. {placing.problems[0]}" if placing.problems else ""
    )
    for name in ("train", "val"):
        if not any(len(each.objects) for each in sides[name]):
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


def counted(what: str, progress: Progress) -> Callable[[int, int], None]:
    """Progress of something that counts."""
    return lambda done, all_: progress(f"{what} {done}/{all_}")


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
