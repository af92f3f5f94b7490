"""What came of fine-tuning, as a document and as a page."""

from dataclasses import asdict, dataclass, field
from typing import Any

from converter.detectors.labels import Labels
from converter.detectors.table import Detector
from unlite.detection.images import load_picture
from unlite.detection.second_stage import NONE
from unlite.training.data.records import Dataset, Problem, Split
from unlite.training.fitting.loop import Trained
from unlite.training.judging.agreement import Agreement
from unlite.training.judging.evaluate import Evaluation
from unlite.training.judging.report import Report
from unlite.training.lessons.augment import Seen, drawn
from unlite.training.lessons.placing import Placed, Placing
from unlite.training.settings import TWO_STAGE, TrainingSettings


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


@dataclass(frozen=True)
class Taught:
    """What came of it.

    Attributes:
        name: What the teacher is called.
        model: The student, repaired: a `keras.Model` of its own.
        detector: What its tensors mean.
        pictures: How many were learned from, and how many were held out.
        problems: Pictures that were left out.
        before: How much of what the teacher finds in held-out pictures the student found.
        after: How much it finds now.
        trained: Pass by pass.
        seconds: Stage → how long it took.
    """

    name: str
    model: Any
    detector: Detector
    pictures: tuple[int, int]
    problems: tuple[Problem, ...]
    before: Agreement
    after: Agreement
    trained: Trained
    seconds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "teacher": self.name,
            "pictures": self.pictures[0],
            "held_out": self.pictures[1],
            "problems": [str(problem) for problem in self.problems],
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "epochs": self.trained.epochs,
            "best_epoch": self.trained.best,
            "history": list(self.trained.rows),
            "seconds": self.seconds,
        }
