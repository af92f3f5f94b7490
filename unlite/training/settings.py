"""How to fine-tune, and how a teacher teaches."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from converter.errors import BadData
from converter.surgery.heads import DESIGNS, Design
from converter.surgery.tower import Tower
from unlite.training.fitting.loop import Course
from unlite.training.lessons.augment import Augmentation

TWO_STAGE: Design = "two_stage"
Train = Literal["classes", "heads", "all"]
Progress = Callable[[str], None]


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
        copies: Variations of each picture, the first as it is; default: about 6,000 in all, 3 to 16 of each.
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


@dataclass(frozen=True, slots=True)
class TeachingSettings:
    """How a teacher teaches.

    Attributes:
        rows: About how many variations of pictures there are in all. Every layer trains, in Keras: each takes about a
            sixth of a second in each pass, on two cores.
        share: How many of the pictures are held out.
        augmentation: How far pictures vary.
        course: How long to train, and how fast; its rate is 0.001 by default for a student with other activations, else
            0.0001.
        seed: Of the split, the variations and the order.
    """

    rows: int = 400
    share: float = 0.2
    augmentation: Augmentation = field(default_factory=Augmentation)
    course: Course = field(default_factory=lambda: Course(epochs=12, batch=8, weight_decay=0))
    seed: int = 0

    def check(self) -> None:
        """Check that they make sense.

        Raises:
            BadData: One does not.
        """
        if self.rows < 1:
            raise BadData(f"rows={self.rows} teach nothing", hint="400 is usual")
        if not 0 < self.share < 1:
            raise BadData(f"share={self.share} of the pictures cannot be held out", hint="0.2 is usual")
        self.course.check()


def counted(what: str, progress: Progress) -> Callable[[int, int], None]:
    """Progress of something that counts."""
    return lambda done, all_: progress(f"{what} {done}/{all_}")
