"""COCO JSON, written: what is drawn, collected or found becomes a data set that other tools read as well.

In plain Python: a set that grows is written again and again, and numpy takes longer for a handful of numbers at a time.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from converter.errors import BadData

Point = tuple[float, float]
# As COCO counts: a keypoint that is not labelled, and one that can be seen. Numbers of one list are of one type.
UNLABELLED, VISIBLE = 0.0, 2.0
SCORE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One object in a picture. All numbers are finite.

    Attributes:
        label: What it is.
        box_xywh: Left, top, width, height as shares of the picture.
        keypoints_xy: (x, y) as shares of the picture, None for one that is not known; empty: none of them is.
        score: How sure who found it is; None: nobody guessed.
    """

    label: str
    box_xywh: tuple[float, float, float, float]
    keypoints_xy: tuple[Point | None, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class CocoPicture:
    """One picture.

    Attributes:
        file_name: Its path below the folder of the COCO file, with slashes.
        width: In pixels.
        height: In pixels.
        objects: What is in it; empty: nothing of what the data set is about.
        about: More members of its record, such as `date_captured`, `person` or `session`.
    """

    file_name: str
    width: int
    height: int
    objects: tuple[CocoObject, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def document(
    pictures: Iterable[CocoPicture],
    labels: Sequence[str],
    keypoint_names: Sequence[str] = (),
    *,
    info: Mapping[str, Any] | None = None,
    supercategory: str | None = None,
) -> dict[str, Any]:
    """What a COCO file says, for `as_text` or `json.dumps`.

    Pixels are rounded to hundredths, so that it is the same text wherever they were computed.

    Args:
        pictures: Their ids, and those of their objects, count from 1.
        labels: The categories, with ids from 1; one that no object has is one too.
        keypoint_names: What keypoints are called, for all labels; empty: there are none.
        info: About the set as a whole.
        supercategory: What all labels are kinds of.

    Raises:
        BadData: An object has another label, or another number of keypoints.
    """
    categories = {label: number for number, label in enumerate(labels, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, each in enumerate(pictures, 1):
        sides = {"width": each.width, "height": each.height}
        images.append({"id": number, "file_name": each.file_name, **sides, **each.about})
        for thing in each.objects:
            _check(thing, each, categories, keypoint_names)
            annotation = {"id": len(annotations) + 1, "image_id": number, "category_id": categories[thing.label]}
            annotations.append(annotation | _in_pixels(thing, each, len(keypoint_names)))
    above = {"supercategory": supercategory} if supercategory else {}
    points = {"keypoints": list(keypoint_names)} if keypoint_names else {}
    return {
        **({"info": dict(info)} if info else {}),
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": label, **above, **points} for label, number in categories.items()],
    }


def as_text(made: Mapping[str, Any]) -> str:
    """A document as JSON with a record a line: what is wrong with one can be told by its line."""
    members = (f"{json.dumps(name)}: {_lines(value)}" for name, value in made.items())
    return "{\n" + ",\n".join(members) + "\n}\n"


def _lines(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"


def _check(thing: CocoObject, picture: CocoPicture, known: Mapping[str, int], keypoint_names: Sequence[str]) -> None:
    if thing.label not in known:
        raise BadData(f"{picture.file_name} shows {thing.label!r}, which is none of {', '.join(map(repr, known))}")
    if len(thing.keypoints_xy) not in {0, len(keypoint_names)}:
        count = f"{len(thing.keypoints_xy)} keypoints instead of {len(keypoint_names)}"
        raise BadData(f"{thing.label!r} in {picture.file_name} has {count}")


def _in_pixels(thing: CocoObject, picture: CocoPicture, keypoints: int) -> dict[str, Any]:
    left, top, width, height = thing.box_xywh
    box = [
        _hundredths(left * picture.width),
        _hundredths(top * picture.height),
        _hundredths(width * picture.width),
        _hundredths(height * picture.height),
    ]
    made: dict[str, Any] = {"bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0}
    if keypoints:
        # All objects of a category have as many numbers, as COCO asks for, and those that are not known are zeros.
        points = thing.keypoints_xy or (None,) * keypoints
        made["keypoints"] = [number for point in points for number in _keypoint(point, picture)]
        made["num_keypoints"] = sum(point is not None for point in points)
    if thing.score is not None:
        made["score"] = round(thing.score, SCORE_DIGITS)
    return made


def _keypoint(point: Point | None, picture: CocoPicture) -> tuple[float, float, float]:
    if point is None:
        return 0.0, 0.0, UNLABELLED
    return _hundredths(point[0] * picture.width), _hundredths(point[1] * picture.height), VISIBLE


def _hundredths(pixels: float) -> float:
    """Rounded as numpy does it: a scaled number to its nearest integer, half to even."""
    return round(pixels * 100) / 100
