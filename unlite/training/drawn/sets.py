"""A data set of hands drawn by code: a folder per gesture, a sub-folder per person, and pictures without hands.

For tests, for the demo, and to try what one is about to do to photographs. The same numbers give the same pictures.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter import detectors
from converter.errors import BadData
from converter.files import whole_file
from unlite.detection.drawn import Colour, DrawnHand, HandPlace, Person, draw, locate
from unlite.detection.gestures import GESTURES
from unlite.detection.pipeline import Floats, intersection_over_union
from unlite.training.data.coco.writing import CocoObject, CocoPicture, document
from unlite.training.data.records import Annotation, Dataset, Example
from unlite.training.drawn.rooms import TONES, add_things, in_light, room

if TYPE_CHECKING:
    from PIL.Image import Image

NONE, COCO = "none", "annotations.json"
SMALLEST = 64
QUALITY = 92
FORMATS = ((1.0, 1.0), (0.75, 1.0), (1.0, 0.75))  # height and width, in units of the longer side
# From least to most.
SCALE, OTHER_SCALE, APART = (0.3, 0.7), (0.6, 0.85), (0.65, 1.0)
SHADING, PROPORTION = (0.10, 0.14), (0.88, 1.12)
TURN, JITTER, SLANT = 35.0, 8, 50.0
CROWDED = 0.45  # largest hand beside which there is room for another
OUTSIDE = 0.02  # so much of the picture's side a hand may reach over its edge
OVERLAP = 0.1  # intersection over union of two palms, at most
SLEEVED, CLUTTERED = 0.6, 0.3
# What a generator is for is the second number of its seed.
PEOPLE, PICTURES = 0, 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """What to draw.

    Attributes:
        gestures: Those that get a folder, of `unlite.detection.gestures.GESTURES`.
        persons: How many there are. Number n of each label is of person n modulo this.
        others: Share of the pictures in which another person's hand, a smaller one, makes another gesture: behind, in
            front or beside.
        boxes: What a box goes round: the palm, as MediaPipe's detector draws it, or the whole hand, as people do.
        coco: Whether to write `annotations.json` too: boxes, and the detector's seven keypoints, of all hands.
    """

    gestures: tuple[str, ...] = tuple(GESTURES)
    persons: int = 8
    others: float = 0.2
    boxes: Literal["palm", "hand"] = "palm"
    coco: bool = False


def drawn_set(
    folder: Path, pictures_per_label: int, seed: int = 0, size: int = 256, drawn: Drawn | None = None
) -> Dataset:
    """Draw hands into `folder/GESTURE/person_01/0000.jpg` …, and pictures without any into `folder/none/…`.

    Args:
        folder: Is made; must not have anything in it.
        pictures_per_label: How many of each gesture, and how many without hands.
        seed: Another one means other people and other pictures.
        size: Of the longer side, in pixels.
        drawn: What to draw; default: all gestures.

    Returns:
        All hands of all pictures with their boxes and keypoints; a group is a person. Whole hands' boxes end at the
        picture's edge; palms are inside.

    Raises:
        BadData: The folder is not empty, or what is asked for makes no sense.
        OutputNotWritten: The COCO file cannot be written.
    """
    drawn = drawn or Drawn()
    studio = Studio(seed, size, drawn)
    _check(folder, pictures_per_label, studio)
    examples, sizes = [], []
    for label in (*drawn.gestures, NONE):
        for number in range(pictures_per_label):
            made, group = studio.picture(label, number), f"person_{number % drawn.persons + 1:02}"
            path = folder / label / group / f"{number:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            made.picture.save(path, quality=QUALITY)
            examples.append(Example(path, tuple(_annotations(made, drawn)), group=group))
            sizes.append(made.picture.size)
    dataset = Dataset(drawn.gestures, tuple(examples), form="coco" if drawn.coco else "folders")
    if drawn.coco:
        with whole_file(folder / COCO) as target:
            target.write_text(json.dumps(_coco(dataset, sizes, folder), indent=1), encoding="utf-8")
    return dataset


def _check(folder: Path, pictures_per_label: int, studio: "Studio") -> None:
    drawn = studio.drawn
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadData(f"{folder} is not an empty folder", hint="name one that is not there yet")
    unknown = [name for name in drawn.gestures if name not in GESTURES]
    if unknown or not drawn.gestures:
        wrong = f"no gesture is called {unknown[0]!r}" if unknown else "no gestures"
        raise BadData(wrong, hint=f"there are {', '.join(GESTURES)}")
    for name, value, least in (
        ("pictures_per_label", pictures_per_label, 1),
        ("seed", studio.seed, 0),
        ("size", studio.size, SMALLEST),
        ("persons", drawn.persons, 1),
    ):
        if value < least:
            raise BadData(f"{name}={value}: it must be at least {least}")


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture and the hands in it, first the one that it is about."""

    picture: "Image"
    hands: tuple[DrawnHand, ...]

    @property
    def places(self) -> list[HandPlace]:
        """Of each hand."""
        return [locate(hand, self.picture.height, self.picture.width) for hand in self.hands]


@dataclass(frozen=True, slots=True)
class Studio:
    """Where pictures are drawn; `seed`, `size` and `drawn` as `drawn_set` takes them."""

    seed: int
    size: int
    drawn: Drawn

    def picture(self, label: str, number: int) -> DrawnPicture:
        """One picture; it depends on nothing else than the settings, its label and its number."""
        dice = self._dice(PICTURES, [*GESTURES, NONE].index(label), number)
        height, width = (round(share * self.size) for share in FORMATS[dice.integers(len(FORMATS))])
        background = room(dice, height, width)
        hands: tuple[DrawnHand, ...] = ()
        if label == NONE:
            add_things(dice, background)
        else:
            if dice.random() < CLUTTERED:
                add_things(dice, background)
            hands = self._hands(dice, label, number, (height, width))
        order = sorted(hands, key=lambda hand: hand.centre[1])  # the lower one's arm does not cover the other
        return DrawnPicture(in_light(dice, draw(height, width, order, background)), hands)

    def person(self, number: int) -> Person:
        """One of the people."""
        dice = self._dice(PEOPLE, number)
        jitter = dice.integers(-JITTER, JITTER + 1, 3)
        red, green, blue = np.clip(np.array(TONES[number % len(TONES)]) + jitter, 0, 255).tolist()
        aspect, length, width = dice.uniform(*PROPORTION, 3).tolist()
        sleeve: Colour | None = None
        if dice.random() < SLEEVED:
            cloth = dice.integers(20, 230, 3).tolist()
            sleeve = (cloth[0], cloth[1], cloth[2])
        return Person((red, green, blue), aspect, length, width, dice.uniform(*SHADING), sleeve)

    def _dice(self, *what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *what])

    def _hands(
        self, dice: np.random.Generator, label: str, number: int, size: tuple[int, int]
    ) -> tuple[DrawnHand, ...]:
        is_crowded = self.drawn.persons > 1 and dice.random() < self.drawn.others
        scale = dice.uniform(SCALE[0], CROWDED if is_crowded else SCALE[1]) * min(size) / size[0]
        who = number % self.drawn.persons
        hand = _somewhere(dice, self._hand(dice, label, who, scale), size)
        if not is_crowded:
            return (hand,)
        gestures = [name for name in GESTURES if name in self.drawn.gestures and name != label] or [label]
        other = gestures[dice.integers(len(gestures))]
        stranger = (who + int(dice.integers(1, self.drawn.persons))) % self.drawn.persons
        second = self._hand(dice, other, stranger, scale * dice.uniform(*OTHER_SCALE))
        return _beside(dice, hand, second, size)

    def _hand(self, dice: np.random.Generator, gesture: str, who: int, scale: float) -> DrawnHand:
        turn, is_mirrored = dice.uniform(-TURN, TURN), bool(dice.random() < 0.5)
        return DrawnHand(scale, (0.0, 0.0), turn, gesture, is_mirrored, self.person(who))


def _somewhere(dice: np.random.Generator, hand: DrawnHand, size: tuple[int, int]) -> DrawnHand:
    """Anywhere in the picture, the palm inside, the hand nearly so."""
    (left, top, width, height), dice_xy = locate(hand, *size).hand_xywh.tolist(), dice.random(2)
    least, most = np.array([-left, -top]) - OUTSIDE, np.array([1 - left - width, 1 - top - height]) + OUTSIDE
    return _inside(hand, least + dice_xy * (most - least), size)


def _beside(
    dice: np.random.Generator, hand: DrawnHand, second: DrawnHand, size: tuple[int, int]
) -> tuple[DrawnHand, ...]:
    """Another hand to the left or the right, where there is more room; none if it would cover the palm."""
    slant, apart = np.deg2rad(dice.uniform(-SLANT, SLANT)), dice.uniform(*APART) * hand.scale * size[0]
    side = 1 if hand.centre[0] < 0.5 else -1
    step = np.array([side * np.cos(slant), np.sin(slant)]) * apart / size[::-1]
    second = _inside(second, hand.centre + step, size)
    first_palm, second_palm = (_corners(locate(each, *size).palm_xywh) for each in (hand, second))
    is_clear = intersection_over_union(first_palm, second_palm[None])[0] <= OVERLAP
    return (hand, second) if is_clear else (hand,)


def _inside(hand: DrawnHand, centre: NDArray[np.float64], size: tuple[int, int]) -> DrawnHand:
    """A hand that is at (0, 0) moved to `centre`, or as near as keeps its palm inside."""
    left, top, width, height = locate(hand, *size).palm_xywh.tolist()
    x, y = np.clip(centre, [-left, -top], [1 - left - width, 1 - top - height]).tolist()
    return replace(hand, centre=(x, y))


def _corners(xywh: Floats) -> Floats:
    return np.concatenate([xywh[:2], xywh[:2] + xywh[2:]])


def _annotations(made: DrawnPicture, drawn: Drawn) -> Iterator[Annotation]:
    for hand, place in zip(made.hands, made.places, strict=True):
        corners = np.clip(_corners(place.palm_xywh if drawn.boxes == "palm" else place.hand_xywh), 0, 1)
        left, top, right, bottom = corners.tolist()
        keypoints = tuple((x, y) for x, y in place.keypoints_xy.tolist())
        yield Annotation(hand.gesture, (left, top, right - left, bottom - top), keypoints)


def _coco(dataset: Dataset, sizes: Sequence[tuple[int, int]], folder: Path) -> dict[str, Any]:
    pictures = [
        CocoPicture(example.path.relative_to(folder).as_posix(), *size, _objects(example))
        for example, size in zip(dataset.examples, sizes, strict=True)
    ]
    return document(pictures, dataset.labels, detectors.find("palm").keypoints)


def _objects(example: Example) -> tuple[CocoObject, ...]:
    said = example.annotations
    return tuple(CocoObject(each.label, each.box_xywh, each.keypoints_xy) for each in said if each.box_xywh)
