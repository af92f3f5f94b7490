"""A second stage that learns: what is in the region of each thing that a detector finds.

The detector stays as it is. Regions are cut out of the pictures themselves, not of what the detector has seen of them,
so that a small hand keeps its fingers. What the detector finds where nothing is labelled is `none`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import radians
from pathlib import Path
from typing import Any

import numpy as np

import converter
from converter import zoo
from converter.detectors.labels import Labels
from converter.detectors.letterbox import Region
from converter.detectors.table import Detector
from converter.errors import BadData
from converter.surgery.heads import region_classifier
from converter.surgery.region import classifier_on_features
from parity.runners.runtimes import Array, Run
from unlite.detection.images import load_picture
from unlite.detection.landmarks import PALM_KEYPOINTS
from unlite.detection.near import look_near
from unlite.detection.pipeline import Detections, Floats, Pixels, detect, intersection_over_union, sample
from unlite.detection.second_stage import NONE, SecondStage, cut_region, region_of
from unlite.training.lessons.augment import Augmentation, Augmenter, Seen
from unlite.training.lessons.features import Cache, Form, Place, compute, in_threads
from unlite.training.lessons.losses import region_entropy
from unlite.training.lessons.parts import Parts, cut
from unlite.training.lessons.placing import BELIEVED, Placed
from unlite.training.lessons.source import Source, litert_runner
from unlite.training.lessons.targets import IGNORED, NEGATIVE, Objects

# Whose features tell gestures apart.
HANDS = "hand_landmark_full"
# How far a region is moved (in shares of its side), grown or shrunk, and turned: detectors are not exact either.
SHIFT, GROWTH, DEGREES = 0.1, 1.2, 15.0
# What the random numbers are for is the last of their seed's.
PLACES, ROWS = 0, 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to look at.

    Attributes:
        path: Of the picture.
        found: Where, as a detector says it: one row, shares of the picture.
        class_: Number of its label; as many as there are labels: `none`.
    """

    path: Path
    found: Detections
    class_: int


@dataclass(frozen=True)
class Regions:
    """A second stage, ready to be trained; what `unlite.training.lessons.classes.Lessons` is for classes in a detector.

    Attributes:
        source: The detector.
        labels: Names of the classes, without `none`.
        original: Name of the model that it starts from; empty: it starts from nothing.
        parts: Its model.
        progress: Called while pictures are searched for what is `none`.
    """

    source: Source
    labels: tuple[str, ...]
    original: str
    parts: Parts
    progress: Progress = lambda *_: None

    @classmethod
    def of(cls, source: Source, labels: Sequence[str], progress: Progress = lambda *_: None) -> "Regions":
        """Build the model: for palms on a hand landmark model's features, otherwise from nothing.

        Raises:
            BadData: A label is called `none`.
            UnliteError: The hand landmark model is not there, and cannot be fetched.
        """
        if NONE in labels:
            raise BadData(f"a label is called {NONE!r}, as is what is none of them", hint="give it another name")
        if len(source.detector.keypoints) == PALM_KEYPOINTS and source.detector.range == (0.0, 1.0):
            model = classifier_on_features(converter.convert(zoo.fetch(HANDS)), len(labels) + 1)
            return cls(source, tuple(labels), HANDS, cut(model), progress)
        return cls(source, tuple(labels), "", cut(region_classifier(len(labels) + 1)), progress)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the regions."""
        height, width = self.parts.model.inputs[0].shape[1:3]
        return height, width

    @property
    def losses(self) -> tuple[Callable[[Any, Any], Any]]:
        """Of its logits."""
        return (region_entropy,)

    @cached_property
    def form(self) -> Form:
        """What a row holds."""
        return Form(tuple(tuple(x.shape[1:]) for x in self.parts.head.inputs), (((1,), "int16"),))

    def rows(self, placed: Sequence[Placed], copies: int, augmentation: Augmentation, seed: int) -> "Rows":
        """Regions, each as it is and in variations.

        Args:
            placed: The pictures.
            copies: How many rows each region gives.
            augmentation: How far light and colour vary.
            seed: What variations depend on.
        """
        augmenter = Augmenter(self.source.detector, augmentation)
        return Rows(self, tuple(self._subjects(placed, seed)), copies, augmenter, seed)

    def runner(self) -> Callable[[Array], list[Array]]:
        """Gives what the head takes of a region."""
        body = self.parts.run_body()
        return lambda tensor: [each[0] for each in body([tensor])[: self.parts.taken]]

    def finder(self, *, near: bool) -> Callable[[Pixels], Detections]:
        """Detector and second stage as they are used, see `find_and_name`."""
        stage = SecondStage(
            litert_runner(self.parts.model)(), self.size, Labels((*self.labels, NONE)), self.source.detector
        )
        return partial(find_and_name, self.source.make_run(), stage, near=near)

    def _subjects(self, placed: Sequence[Placed], seed: int) -> Iterator[Subject]:
        """What is labelled, what the detector finds besides, and places in pictures without objects."""
        known = [subject for each in placed for subject in labelled(each, self.source.detector)]
        yield from known
        work = partial(_besides, detector=replace(self.source.detector, min_score=BELIEVED), none=len(self.labels))
        for number, (each, besides) in enumerate(in_threads(work, placed, self.source.make_run), start=1):
            yield from besides
            if not len(each.objects) and known:
                rng = np.random.default_rng([seed, number, PLACES])
                found = _elsewhere(known[rng.integers(len(known))].found, rng)
                yield Subject(each.example.path, found, len(self.labels))
            self.progress(number, len(placed))


def find_and_name(run: Run, stage: SecondStage, picture: Pixels, *, near: bool) -> Detections:
    """What a detector finds, down to a low score, and a second stage names: with classes, and scores of both.

    Args:
        run: The detector.
        stage: Has a detector, and labels without a threshold.
        picture: RGB [H, W, 3].
        near: Whether to look again with room around the picture, see `unlite.detection.near`.
    """
    patient = replace(stage.detector, min_score=BELIEVED)
    found = look_near(run, patient, picture) if near else detect(run, patient, picture).final
    kept, named = stage(picture, found)
    sure = np.array([each.probability for each in named], np.float32)
    classes = np.array([stage.labels.names.index(each.label) for each in named], np.intp)
    return replace(kept, scores=kept.scores * sure, classes=classes)


def labelled(placed: Placed, detector: Detector) -> Iterator[Subject]:
    """What is known of the objects of a picture; for palms, those alone whose keypoints are known."""
    objects = placed.objects
    is_known = np.isfinite(objects.keypoints_xy).all(axis=(1, 2)) | (len(detector.keypoints) != PALM_KEYPOINTS)
    for row in np.flatnonzero((objects.classes != IGNORED) & is_known).tolist():
        boxes, keypoints = objects.boxes_xywh[[row]], objects.keypoints_xy[[row]]
        # Only a palm's keypoints say where its region is; elsewhere nobody reads them.
        found = Detections(boxes, np.nan_to_num(keypoints), np.ones(1, np.float32), np.zeros(1, np.intp))
        yield Subject(placed.example.path, found, int(objects.classes[row]))


def _besides(placed: Placed, run: Run, detector: Detector, none: int) -> list[Subject]:
    """What a detector finds where nothing is labelled; where labels have no boxes, it may be of the same hand."""
    if any(annotation.box_xywh is None for annotation in placed.example.annotations):
        return []
    found, objects = look_near(run, detector, load_picture(placed.example.path)), placed.objects.corners()
    rows = [
        row
        for row, corners in enumerate(found.corners())
        if intersection_over_union(corners, objects).max(initial=0) < NEGATIVE and np.isfinite(corners).all()
    ]
    return [Subject(placed.example.path, found[[row]], none) for row in rows]


def _elsewhere(found: Detections, rng: np.random.Generator) -> Detections:
    """The same at any other place of a picture."""
    centre = found.boxes_xywh[:, :2] + found.boxes_xywh[:, 2:] / 2
    step = (rng.random(2) - centre).astype(np.float32)
    boxes = found.boxes_xywh + np.concatenate([step, np.zeros_like(step)], axis=1)
    return replace(found, boxes_xywh=boxes, keypoints_xy=found.keypoints_xy + step[:, None])


@dataclass(frozen=True, slots=True)
class Rows:
    """Regions to learn from, in an order that says which variation is which.

    Attributes:
        regions: What is learned.
        subjects: The regions.
        copies: How many rows each gives, the first as it is.
        augmenter: Changes light and colour.
        seed: What variations depend on.
    """

    regions: Regions
    subjects: tuple[Subject, ...]
    copies: int
    augmenter: Augmenter
    seed: int

    def __len__(self) -> int:
        return len(self.subjects) * self.copies

    def examples(self, count: int) -> list[int]:
        """Numbers of a few rows, of regions from all over the set, variations first."""
        chosen = np.linspace(0, len(self.subjects) - 1, min(count, len(self.subjects))).astype(int).tolist()
        return [
            subject * self.copies + min(1 + place % self.copies, self.copies - 1)
            for place, subject in enumerate(chosen)
        ]

    def seen(self, number: int) -> Seen:
        """One row as the second stage sees it: the object, if it is one, is all of it."""
        subject, detector = self.subjects[number // self.copies], self.regions.source.detector
        picture = load_picture(subject.path)
        if number % self.copies:
            tensor = self._varied(picture, subject, number)
        else:
            tensor = cut_region(subject.found, detector, picture, self.regions.size)
        count = int(subject.class_ < len(self.regions.labels))
        boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))
        keypoints = np.full((count, len(detector.keypoints), 2), np.nan, np.float32)
        return Seen(tensor, Objects(boxes, np.full(count, subject.class_, np.intp), keypoints))

    def cache(self, folder: Path, progress: Progress = lambda *_: None) -> Cache:
        """Compute features and targets of all rows, see `features.compute`."""

        def row(number: int, run: Any) -> tuple[list[Array], list[Any]]:
            return run(self.seen(number).tensor), [np.array([self.subjects[number // self.copies].class_])]

        return compute(Place(folder, len(self), self.regions.form), row, self.regions.runner, progress)

    def _varied(self, picture: Pixels, subject: Subject, number: int) -> Floats:
        rng, detector = np.random.default_rng([self.seed, number, ROWS]), self.regions.source.detector
        region = moved(region_of(subject.found, detector, picture), rng)
        pixels = sample(picture, region, self.regions.size, (0.0, 255.0), replicate=True)[0].round().astype(np.uint8)
        if rng.random() < self.augmenter.flip:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        pixels = self.augmenter.in_other_light(pixels, int(rng.integers(1 << 31)))
        low, high = detector.range
        made: Floats = pixels[None].astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        return made


def moved(region: Region, rng: np.random.Generator) -> Region:
    """A region somewhat elsewhere, of another size, and turned."""
    (x, y), turn = rng.uniform(-SHIFT, SHIFT, 2).tolist(), radians(rng.uniform(-DEGREES, DEGREES))
    growth = float(GROWTH ** rng.uniform(-1, 1))
    return Region(
        region.x + x * region.width,
        region.y + y * region.height,
        region.width * growth,
        region.height * growth,
        region.rotation + turn,
    )
