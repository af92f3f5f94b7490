"""What is to be learned from each picture: a model with new classes, cut in two, and what its head shall give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from converter.detectors.table import Detector
from converter.errors import BadHead
from converter.match.trace import keras_network
from converter.surgery.head import box_branches
from converter.surgery.heads import Design, replace_classes
from converter.surgery.tower import Tower
from parity.runners.runtimes import Array, Run
from unlite.detection.images import load_picture
from unlite.detection.pipeline import Pixels, class_count, regressors_and_logits
from unlite.training.lessons.augment import Augmentation, Augmenter, Seen, as_it_is
from unlite.training.lessons.features import Cache, Form, Place, compute
from unlite.training.lessons.freezing import everything, settled, trained
from unlite.training.lessons.losses import anchor_classification, class_entropy, held_boxes, held_scores
from unlite.training.lessons.parts import Parts, cut
from unlite.training.lessons.placing import Placed
from unlite.training.lessons.source import Source
from unlite.training.lessons.targets import assign, decode_boxes

# Anchors that the teacher finds less likely to be about an object have no say on boxes.
SURE = 0.1
Kind = Literal["boxes", "objectness", "classes"]


@dataclass(frozen=True)
class Lessons:
    """A detector with new classes, ready to be trained.

    Attributes:
        source: The original, which says where boxes are.
        parts: The new model.
        losses: One for each result of its head.
        kinds: What each result of its head has.
    """

    source: Source
    parts: Parts
    losses: tuple[Callable[[Any, Any], Any], ...]
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, source: Source, classes: int, design: Design, train: str, tower: Tower) -> "Lessons":
        """Build the new model, and cut it at what trains.

        Raises:
            BadHead: The design does not fit the detector.
        """
        detector = source.detector
        known = class_count([tuple(x.shape[1:]) for x in source.model.outputs], detector)
        if design in ("gated", "tower") and known > 1:
            raise BadHead(
                f"{source.name} tells {known} classes apart already, and design={design!r} needs a detector of one",
                hint="take the detector that it was made from, or design='joint'",
            )
        with trained(source.model, _trains(source, train)):
            model = replace_classes(source.model, classes, design, detector=detector, tower=tower)
        return cls._cut(source, model)

    @classmethod
    def _cut(cls, source: Source, model: Any) -> "Lessons":
        """Cut a model with new classes at what trains."""
        parts = cut(model)
        boxes, count = box_place(model.outputs, source.detector), len(model.outputs)
        kinds = tuple(_kind(place, boxes, count) for place in parts.trained)
        # Of three outputs, one says whether something is there: the classes need not.
        of_classes = class_entropy if count == 3 else anchor_classification
        losses = {"boxes": held_boxes, "objectness": held_scores, "classes": of_classes}
        return cls(source, parts, tuple(losses[kind] for kind in kinds), kinds)

    def further(self, train: str) -> "Lessons":
        """The model as it is now, of which more trains: `heads` or `all`."""
        model = self.parts.model
        kept = _box_layers(model, self.source.detector)

        def is_trained(layer: Any) -> bool:
            return everything(layer) if train == "all" else settled(layer) and (layer.trainable or id(layer) in kept)

        with trained(model, is_trained):
            return self._cut(self.source, model)

    @cached_property
    def form(self) -> Form:
        """What a row holds."""
        anchors, coordinates = self.source.detector.boxes, self.source.detector.coordinates
        wanted = {
            "boxes": ((anchors, coordinates + 1), "float32"),
            "objectness": ((anchors, 1), "float16"),
            "classes": ((anchors, 1), "int16"),
        }
        taken = tuple(tuple(x.shape[1:]) for x in self.parts.head.inputs)
        return Form(taken, tuple(wanted[kind] for kind in self.kinds))

    def rows(self, placed: Sequence[Placed], copies: int, augmentation: Augmentation, seed: int) -> "Rows":
        """Pictures, each as it is and in variations.

        Args:
            placed: The pictures.
            copies: How many rows each gives.
            augmentation: How far the variations go.
            seed: What they depend on.
        """
        empty = [each for each in placed if not len(each.objects)]

        def background(share: float) -> Pixels:
            return load_picture(empty[int(share * len(empty))].example.path)

        augmenter = Augmenter(self.source.detector, augmentation, background if empty else None)
        return Rows(self, tuple(placed), copies, augmenter, seed)

    def runner(self) -> Callable[[Array], tuple[list[Array], Array, Array | None]]:
        """Gives what the head takes of an input tensor, and the original's regressors and logits."""
        coordinates, taken = self.source.detector.coordinates, self.parts.taken
        body = self.parts.run_body()

        def boxes(outputs: Sequence[Array]) -> list[Array]:
            return [output[0] for output in outputs if output.ndim == 3 and output.shape[2] == coordinates]

        has_boxes = "boxes" not in self.kinds
        teacher: Run | None = None if has_boxes else self.source.make_run()

        def run(tensor: Array) -> tuple[list[Array], Array, Array | None]:
            given = body([tensor])
            features = [output[0] for output in given[:taken]]
            if teacher is None:
                return features, boxes(given[taken:])[0], None
            return features, *regressors_and_logits(teacher([tensor]), self.source.detector)

        return run


@dataclass(frozen=True, slots=True)
class Rows:
    """Pictures to learn from, in an order that says which variation is which.

    Attributes:
        lessons: What is learned.
        placed: The pictures.
        copies: How many rows each gives, the first as it is.
        augmenter: Makes the others.
        seed: What they depend on.
    """

    lessons: Lessons
    placed: tuple[Placed, ...]
    copies: int
    augmenter: Augmenter
    seed: int

    def __len__(self) -> int:
        return len(self.placed) * self.copies

    def examples(self, count: int) -> list[int]:
        """Numbers of a few rows, of pictures from all over the set, variations first."""
        chosen = np.linspace(0, len(self.placed) - 1, min(count, len(self.placed))).astype(int).tolist()
        return [
            picture * self.copies + min(1 + place % self.copies, self.copies - 1)
            for place, picture in enumerate(chosen)
        ]

    def seen(self, number: int) -> Seen:
        """One row as the network sees it."""
        each = self.placed[number // self.copies]
        picture = load_picture(each.example.path)
        if number % self.copies == 0:
            return as_it_is(picture, each.objects, self.lessons.source.detector)
        return self.augmenter(picture, each.objects, (self.seed, number))

    def cache(self, folder: Path, progress: Callable[[int, int], None] = lambda *_: None) -> Cache:
        """Compute features and targets of all rows, see `features.compute`."""
        lessons, detector = self.lessons, self.lessons.source.detector

        def row(number: int, run: Any) -> tuple[list[Array], list[Any]]:
            seen = self.seen(number)
            taken, regressors, logits = run(seen.tensor)
            classes, _ = assign(decode_boxes(regressors, detector)[0], seen.objects)
            wanted: dict[str, Any] = {"classes": classes[:, None]}
            if logits is not None:
                wanted |= {"boxes": boxes_wanted(regressors, logits), "objectness": probabilities(logits)}
            return taken, [wanted[kind] for kind in lessons.kinds]

        return compute(Place(folder, len(self), lessons.form), row, lessons.runner, progress)


def boxes_wanted(regressors: Array, logits: Array) -> Array:
    """A teacher's boxes, [anchors, coordinates + 1] for `losses.smooth_l1`: the surer, the more it counts."""
    score = probabilities(logits).max(axis=1, keepdims=True)
    made: Array = np.concatenate([regressors, np.where(score >= SURE, score, 0)], axis=1).astype(np.float32)
    return made


def probabilities(logits: Array) -> Array:
    """Of logits of any size."""
    made: Array = (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)
    return made


def box_place(outputs: Sequence[Any], detector: Detector) -> int:
    """Which of a detector's outputs has boxes: with as many classes as coordinates, the first."""
    return next(place for place, x in enumerate(outputs) if x.shape[-1] == detector.coordinates)


def _kind(place: int, boxes: int, count: int) -> Kind:
    """What an output has; of three, the design `gated` has put the classes last."""
    if place == boxes:
        return "boxes"
    return "objectness" if count == 3 and place != count - 1 else "classes"


def _trains(source: Source, train: str) -> Callable[[Any], bool]:
    """Which layers of the original train."""
    if train == "all":
        return everything
    kept = _box_layers(source.model, source.detector) if train == "heads" else set()
    return lambda layer: id(layer) in kept


def _box_layers(model: Any, detector: Detector) -> set[int]:
    """Identities of the last layers before the boxes."""
    return {id(call.layer) for call in box_branches(keras_network(model), detector)}
