"""From a detector and a folder of pictures to a detector that knows their labels."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args
from zlib import crc32

import converter
from converter.detectors.labels import Labels
from converter.detectors.table import Detector
from converter.errors import BadData
from converter.surgery.heads import DESIGNS, Design
from converter.surgery.tower import Tower
from unlite.detection.images import load_picture
from unlite.detection.pipeline import Detections, detect
from unlite.training.augment import Augmentation, Seen, drawn
from unlite.training.data import read_dataset, split
from unlite.training.data.records import Dataset, Problem, Split
from unlite.training.evaluate import Evaluation, Truth, evaluate
from unlite.training.features import check_same
from unlite.training.lessons import Lessons
from unlite.training.loop import Course, Trained, fit
from unlite.training.placing import Placed, Placing, place
from unlite.training.report import Report
from unlite.training.source import Source
from unlite.training.targets import IGNORED

Train = Literal["classes", "heads", "all"]
Progress = Callable[[str], None]
# Down to which score detections are judged: what a precision-recall curve needs.
LEAST_SCORE = 0.02
# About how many rows there are without being told, and how many of one picture at least and at most.
ROWS, FEWEST, MOST = 6000, 3, 16
SHOWN = 12  # variations to look at


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to fine-tune.

    Attributes:
        design: How classes are computed, see `converter.surgery.heads.replace_classes`.
        train: What trains: `classes` (all else stays bit for bit), `heads` (the boxes' last layers as well), or `all`.
            Boxes that train are held by what the original says of the same pictures.
        tower: Size of the `tower` design.
        labels: Which labels, in which order; default: all of the data set.
        share: How much of the data is held out, where nothing says what is.
        group: What the data is split by, see `unlite.training.data.split`.
        copies: Variations of each picture, the first as it is; default: about 4,000 in all.
        augmentation: How far they vary.
        course: How long to train, and how fast.
        seed: Of the split, the variations and the order; two runs with the same one end alike.
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
        if self.design not in DESIGNS or self.design == "two_stage":
            known = ", ".join(design for design in DESIGNS if design != "two_stage")
            raise BadData(f"design={self.design!r} cannot be trained in a detector", hint=f"designs: {known}")
        if self.train not in get_args(Train):
            raise BadData(f"train={self.train!r} says nothing", hint=f"one of {', '.join(get_args(Train))}")
        if not 0 < self.share < 1:
            raise BadData(f"share={self.share} of the pictures cannot be held out", hint="0.2 is usual")
        if self.copies is not None and self.copies < 1:
            raise BadData(f"copies={self.copies} leave no picture", hint="1 or more")
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
        names, threshold = self.dataset.labels, self.evaluation.threshold
        return Labels(names, threshold, self.detector.name, self.name)

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
            "seconds": self.seconds,
        }

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
        folder: Where features and the state of training are kept; a run that was interrupted goes on there. Default: a
            folder that is removed afterwards.
        detector: What the model's tensors mean; default: the known detector that has such tensors.
        progress: Called with what is being done.

    Raises:
        BadData: Nothing can be learned from the data.
        BadDetector: The model is no detector that is known.
        BadHead: The design does not fit the model.
        OutputNotWritten: There is no room for the features.
    """
    settings = settings or TrainingSettings()
    settings.check()
    clock = Clock()
    source = Source.of(model, detector)
    dataset = data if isinstance(data, Dataset) else read_dataset(Path(data), settings.labels)
    dataset = split(dataset, settings.share, settings.seed, settings.group)
    clock("reading")
    with ExitStack() as stack:
        work = folder or Path(stack.enter_context(TemporaryDirectory()))
        check_same(work, _identity(settings, source, dataset))
        finding = counted("finding the objects, picture", progress)
        placing = place(dataset, source.make_run, source.detector, finding)
        sides = {name: [each for each in placing.placed if each.example.split == name] for name in get_args(Split)}
        _check(dataset, sides, placing)
        clock("finding objects")
        stage = _Stage(source, settings, sides, len(dataset.labels), progress)
        made, trained = stage.classes(work, clock)
        if settings.train != "classes":
            made, trained = stage.rest(made, work / "rest", clock)
    evaluation = judge(made, source.detector, sides["test"] or sides["val"], dataset.labels, progress)
    clock("judging")
    tuned = replace(source.detector, min_score=evaluation.threshold)
    seen = stage.seen()
    return Finetuned(source.name, made, tuned, dataset, placing, seen, trained, evaluation, settings, clock.seconds)


def report(tuned: Finetuned, command: str = "") -> Report:
    """The page about a run, see `unlite.training.report.write_report`."""
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
        notes=[str(relation)] if relation else [],
        mosaic=[drawn(seen, tuned.detector, labels) for seen in tuned.seen],
        history=tuned.trained.rows,
        costs={stage: f"{seconds:.1f} s" for stage, seconds in tuned.seconds.items()},
        picture=lambda place: load_picture(tuned.judged[place].example.path),
        names=[str(each.example.path) for each in tuned.judged],
    )


def judge(
    model: Any,
    detector: Detector,
    placed: Sequence[Placed],
    labels: Sequence[str],
    progress: Progress = lambda _: None,
) -> Evaluation:
    """Evaluate a detector as `unlite detect` would run it.

    Args:
        model: A `keras.Model`.
        detector: What its tensors mean.
        placed: Pictures, and where their objects are.
        labels: Names of its classes.
        progress: Called with what is being done.
    """
    run, patient = Source.of(model, detector).make_run(), replace(detector, min_score=LEAST_SCORE)
    found: list[Detections] = []
    truth: list[Truth] = []
    for number, each in enumerate(placed, start=1):
        progress(f"judging, picture {number}/{len(placed)}")
        picture = load_picture(each.example.path)
        found.append(detect(run, patient, picture).final)
        is_object = each.objects.classes != IGNORED
        boxes, classes = each.objects.boxes_xywh[is_object], each.objects.classes[is_object]
        truth.append(Truth(boxes, classes, picture.shape[:2]))
    return evaluate(found, truth, labels)


def _check(dataset: Dataset, sides: dict[Split, list[Placed]], placing: Placing) -> None:
    left_out = (
        f"; {len(placing.problems)} pictures were left out, e.g. {placing.problems[0]}" if placing.problems else ""
    )
    for name in ("train", "val"):
        if not any(len(each.objects) for each in sides[name]):
            raise BadData(
                f"no object is left in the pictures for {name}{left_out}", hint="more pictures, or other ones"
            )
    if len(dataset.labels) == 1 and all(len(each.objects) for each in sides["train"]):
        raise BadData(
            f"{dataset.labels[0]!r} is the only label, and every picture has it: there is nothing to tell apart",
            hint="add pictures without it, e.g. in a folder `none`",
        )


def _identity(settings: TrainingSettings, source: Source, dataset: Dataset) -> dict[str, Any]:
    """What a run depends on: another one has other features."""
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
