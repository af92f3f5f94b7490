"""A changed detector learns to do again what its original does, from pictures that nobody has labelled."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np

import converter
from converter.detectors.table import Detector
from converter.errors import BadData, BadPicture
from parity.runners.runtimes import Array, Run
from unlite.detection.images import load_picture
from unlite.detection.pipeline import Detections, regressors_and_logits
from unlite.training.data import Dataset, Example, split
from unlite.training.data.pictures import Tree
from unlite.training.data.records import Problem, Split
from unlite.training.finetuning import Clock
from unlite.training.fitting.loop import Course, fit
from unlite.training.judging.agreement import Agreement, agree, find_all
from unlite.training.lessons.augment import Augmenter, as_it_is
from unlite.training.lessons.features import Cache, Form, Place, check_folder, check_same, compute, in_threads
from unlite.training.lessons.freezing import everything, trained
from unlite.training.lessons.hints import exchanged, hinted
from unlite.training.lessons.losses import given, held_scores, smooth_l1
from unlite.training.lessons.pairs import Pair
from unlite.training.lessons.parts import Parts, cut
from unlite.training.lessons.source import Source
from unlite.training.lessons.targets import Objects
from unlite.training.result import Taught
from unlite.training.settings import Progress, TeachingSettings, counted

# Variations of one picture at most: more of them teach little that is new.
MOST = 8
# How fast a student learns at most. With other activations it has to change a lot. With another size it is nearly
# right, and at that rate it forgets everything (a palm detector at 256×256: 41 of 46 hands before, none afterwards).
FAST, GENTLE = 1e-3, 1e-4
SIDES: tuple[Split, Split] = ("train", "val")


def teach(  # noqa: PLR0913 - settings, by keyword
    student: Any,
    pictures: Path | str,
    teacher: Any,
    settings: TeachingSettings | None = None,
    *,
    folder: Path | None = None,
    detector: Detector | None = None,
    progress: Progress = lambda _: None,
) -> Taught:
    """Train a detector to say what another one says: after `swap_activation`, `resize_input` or `widen_input`.

    Args:
        student: A `.tflite` or `.keras` file, or a `keras.Model`, which is not changed.
        pictures: A folder, searched with all folders below it; labels play no part.
        teacher: As `student`. An input of another size has to have the same proportions.
        settings: How.
        folder: Where inputs and the state of training are kept; a run that was interrupted goes on there. Default: a
            folder that is removed afterwards.
        detector: What the teacher's tensors mean; default: the known detector that has such tensors.
        progress: Called with what is being done.

    Raises:
        BadData: Nothing can be learned from the pictures.
        BadDetector: One of them is no detector that is known, or they do not fit each other.
        OutputNotWritten: There is no room for the inputs, or `folder` has something else in it than a run.
    """
    settings, clock = settings or TeachingSettings(), Clock()
    settings.check()
    if folder:
        check_folder(folder)
    pair = Pair.of(student, teacher, detector)
    dataset = split(_read(Path(pictures), progress), settings.share, settings.seed)
    sides = {name: [example.path for example in dataset.of(name)] for name in SIDES}
    clock("reading")
    exam = _Exam.of(pair, sides["val"], progress)
    before = exam.judge(pair.student)
    clock("judging")
    with trained(pair.student.model, everything):
        parts = cut(pair.student.model)
    lessons = _Lessons(pair, parts, settings)
    with ExitStack() as stack:
        work = folder or Path(stack.enter_context(TemporaryDirectory()))
        check_same(work, _identity(settings, pair, dataset))
        learned, checked = (lessons.cache(work, name, sides[name], progress) for name in SIDES)
        clock("inputs")
        head, losses, course = lessons.head, lessons.losses, lessons.course
        result = fit(head, losses, learned, checked, course, work, progress, knows_something=True)
        clock("training")
    repaired = Source(pair.student.name, parts.model, pair.student.detector)
    after = exam.judge(repaired)
    clock("judging again")
    counts = len(sides["train"]), len(sides["val"])
    made = (pair.teacher.name, parts.model, repaired.detector, counts, dataset.problems)
    return Taught(*made, before, after, result, clock.seconds)


@dataclass(frozen=True)
class _Exam:
    """What the student has to find in held-out pictures."""

    pair: Pair
    paths: Sequence[Path]
    expected: Sequence[Detections]
    progress: Progress

    @classmethod
    def of(cls, pair: Pair, paths: Sequence[Path], progress: Progress) -> "_Exam":
        teacher = pair.teacher
        expected = find_all(teacher.make_run, teacher.detector, paths, counted("asking the teacher, picture", progress))
        if not any(map(len, expected)):
            hint = "take pictures of what it detects"
            raise BadData(f"{teacher.name} finds nothing in the {len(paths)} pictures that are held out", hint)
        return cls(pair, paths, expected, progress)

    def judge(self, student: Source) -> Agreement:
        def make_run() -> Run:
            return self.pair.running(student.make_run())

        counting = counted("judging, picture", self.progress)
        return agree(self.expected, find_all(make_run, student.detector, self.paths, counting))


@dataclass(frozen=True)
class _Lessons:
    """What the student sees, and what it shall say."""

    pair: Pair
    parts: Parts
    settings: TeachingSettings

    @property
    def losses(self) -> tuple[Any, ...]:
        """One for each result of the head."""
        return (*(smooth_l1, held_scores)[:: self._order], *([given] if self._hints else []))

    @property
    def course(self) -> Course:
        """As it is set, or at a rate that suits the student."""
        rate = self.settings.course.learning_rate or (FAST if self._hints else GENTLE)
        return replace(self.settings.course, learning_rate=rate)

    @cached_property
    def head(self) -> Any:
        """What is trained."""
        head = self.parts.head
        return hinted(head, self.pair.teacher.model, self._hints) if self._hints else head

    @cached_property
    def _hints(self) -> tuple[str, ...]:
        """Names of layers that the teacher gives hints on."""
        return () if self.parts.body else exchanged(self.pair.student.model, self.pair.teacher.model)

    @property
    def _order(self) -> int:
        """1 where boxes are the first output, -1 where logits are."""
        return -1 if self.pair.box_place() else 1

    def cache(self, folder: Path, side: Split, paths: Sequence[Path], progress: Progress) -> Cache:
        """Inputs, and what the teacher says of them, for all variations; held-out pictures stay as they are."""
        copies = min(max(self.settings.rows // len(paths), 1), MOST) if side == "train" else 1
        # From all over the set, if there are more than enough.
        chosen = np.linspace(0, len(paths) - 1, min(len(paths), self.settings.rows)).astype(int)
        augmenter = Augmenter(self.pair.eyes, self.settings.augmentation)

        def row(number: int, runs: tuple[Run, Run]) -> tuple[list[Array], list[Array]]:
            body, teacher = runs
            picture = load_picture(paths[chosen[number // copies]])
            if number % copies:
                tensor = augmenter(picture, self._nothing, (self.settings.seed, number)).tensor
            else:
                tensor = as_it_is(picture, self._nothing, self.pair.eyes).tensor
            said = teacher([self.pair.seen(tensor, self.pair.teacher.detector)])
            wanted = self.pair.wanted(*regressors_and_logits(said, self.pair.teacher.detector))
            given = body([self.pair.widened(self.pair.seen(tensor, self.pair.student.detector))])
            features = [value[0] for value in given[: self.parts.taken]]
            return features, [*wanted[:: self._order], *([np.zeros(1, np.float32)] if self._hints else [])]

        def make_runs() -> tuple[Run, Run]:
            return self.parts.run_body(), self.pair.teacher.make_run()

        place = Place(folder / side, len(chosen) * copies, self._form)
        return compute(place, row, make_runs, counted(f"inputs for {side},", progress))

    @property
    def _nothing(self) -> Objects:
        """What is said to be in each picture."""
        keypoints = len(self.pair.eyes.keypoints)
        return Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.intp), np.zeros((0, keypoints, 2), np.float32))

    @property
    def _form(self) -> Form:
        detector, classes = self.pair.student.detector, self.pair.classes
        boxes = ((detector.boxes, detector.coordinates + 1), "float32")
        scores = ((detector.boxes, classes), "float16")
        taken = tuple(tuple(x.shape[1:]) for x in self.parts.head.inputs)
        return Form(taken, (*(boxes, scores)[:: self._order], *([((1,), "float16")] if self._hints else [])))


def _read(folder: Path, progress: Progress) -> Dataset:
    """All pictures below a folder, without labels."""
    if not folder.is_dir():
        raise BadData(f"{folder} is no folder", hint="name one with pictures")
    tree = Tree(folder)

    def problem(path: Path, _: None) -> Problem | None:
        try:
            load_picture(path)
        except BadPicture as error:
            return Problem(path, 0, str(error).partition("\n")[0])
        return None

    examples, problems, count = [], [], counted("reading, picture", progress)
    for number, (path, wrong) in enumerate(in_threads(problem, tree.pictures, lambda: None), start=1):
        if wrong:
            problems.append(wrong)
        else:
            side = tree.side(path)
            examples.append(Example(path, split="val" if side == "test" else side))
        count(number, len(tree.pictures))
    if not examples:
        raise BadData(f"{folder} has no pictures that can be read", hint="any folder of pictures will do")
    return Dataset((), tuple(examples), tuple(problems))


def _identity(settings: TeachingSettings, pair: Pair, dataset: Dataset) -> dict[str, Any]:
    """What a run depends on."""
    pictures = [(str(each.path), each.path.stat().st_mtime_ns, each.split) for each in dataset.examples]
    kept = asdict(settings)
    kept["course"].pop("tensorboard")
    return {
        "unlite": converter.__version__,
        "settings": repr(kept),
        "student": pair.student.fingerprint(),
        "teacher": pair.teacher.fingerprint(),
        "pictures": crc32(repr(pictures).encode()),
    }
