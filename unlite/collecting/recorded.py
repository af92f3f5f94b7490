"""The records of a collected data set, read back, and what the folder says beside them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from converter.errors import BadData
from unlite.collecting.files import Files
from unlite.collecting.labels import check_labels, is_nothing
from unlite.training.data.coco.writing import CocoObject, CocoPicture

MADE_BY = "unlite collect"
# What a record of COCO has of an image beside what is about the picture itself.
OWN_MEMBERS = ("id", "file_name", "width", "height")
# Says what is in a file, as the record of a picture of some name, whose folder is its label; None: nothing of that.
Describe = Callable[[Path, str], CocoPicture | None]


def label_of(picture: CocoPicture) -> str:
    """Its folder."""
    return picture.file_name.partition("/")[0]


def relabelled(picture: CocoPicture, name: str) -> CocoPicture:
    """The same under another name, whose folder says what its object is."""
    label = name.partition("/")[0]
    objects = () if is_nothing(label) else tuple(replace(each, label=label) for each in picture.objects)
    return replace(picture, file_name=name, objects=objects)


def read_records(files: Files) -> tuple[list[str], list[CocoPicture]]:
    """Labels and pictures that the COCO file tells of; none where there is no file.

    Raises:
        BadData: It is not ours, or broken.
    """
    if not files.rows.exists():
        return [], []
    hint = "move it away: pictures without records are looked at again. Or name another folder"
    document = _document(files.rows)
    if document is None:
        raise BadData(f"{files.rows} was not written by `{MADE_BY}`, and would be written over", hint)
    try:
        return _parsed(document)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BadData(f"{files.rows} is broken: {type(error).__name__} {error}", hint) from None


def _document(path: Path) -> dict[str, Any] | None:
    """What is in a COCO file of ours; None: it is of somebody else, or nothing can be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        return document if document["info"]["description"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _parsed(document: Mapping[str, Any]) -> tuple[list[str], list[CocoPicture]]:
    labels = {each["id"]: str(each["name"]) for each in document["categories"]}
    sizes = {each["id"]: (each["width"], each["height"]) for each in document["images"]}
    objects: dict[int, list[CocoObject]] = {identity: [] for identity in sizes}
    for each in document["annotations"]:
        objects[each["image_id"]].append(_object(each, labels[each["category_id"]], sizes[each["image_id"]]))
    pictures = []
    for image in document["images"]:
        about = {name: value for name, value in image.items() if name not in OWN_MEMBERS}
        size, found = sizes[image["id"]], tuple(objects[image["id"]])
        pictures.append(CocoPicture(str(image["file_name"]), *size, found, about))
    return list(labels.values()), pictures


def _object(said: Mapping[str, Any], label: str, size: tuple[int, int]) -> CocoObject:
    width, height = size
    left, top, wide, high = map(float, said["bbox"])
    flat = list(map(float, said.get("keypoints", ())))
    points = tuple((x / width, y / height) for x, y in zip(flat[::3], flat[1::3], strict=True))
    return CocoObject(label, (left / width, top / height, wide / width, high / height), points, said.get("score"))


def joined_labels(
    wanted: Sequence[str], also: Sequence[str], recorded: Sequence[str], files: Files
) -> tuple[tuple[str, ...], list[str]]:
    """All labels of a data set, and what is to be said about them.

    Args:
        wanted: Which ones there shall be; empty: those that there are.
        also: Those that are added where they are missing.
        recorded: Those of its records.
        files: Its files.

    Raises:
        BadData: There are pictures of another label, or no labels at all.
    """
    used = {name.partition("/")[0] for name in files.pictures()}
    nothing = {path.name for path in files.root.iterdir() if path.is_dir() and is_nothing(path.name)}
    there = sorted(dict.fromkeys([*recorded, *sorted(used), *sorted(nothing)]), key=is_nothing)
    if not wanted and not there and not also:
        raise BadData(f"{files.root} has no labels yet", hint="say which ones, such as fist,palm,none")
    labels = check_labels(tuple(dict.fromkeys([*(wanted or there), *also])))
    left_out = [label for label in there if label in used and label not in labels]
    if left_out:
        raise BadData(
            f"{files.root} has pictures of {', '.join(left_out)}, and the labels are {', '.join(labels)}",
            hint=f"name all of them: {','.join(dict.fromkeys([*labels, *left_out]))}; or take another folder",
        )
    new = [label for label in labels if there and label not in there]
    return labels, [f"new in {files.root}: {', '.join(new)}"] if new else []


class TakenUp:
    """Pictures of a folder with what is known of them.

    Attributes:
        pictures: Each with its record.
        notes: What was found that nobody had recorded, or was missing.
    """

    def __init__(self, files: Files, recorded: Sequence[CocoPicture], describe: Describe) -> None:
        self._files, self._describe = files, describe
        self.pictures: list[CocoPicture] = []
        self.notes: list[str] = []
        there, known = set(files.pictures()), {each.file_name: each for each in recorded}
        self.pictures = [picture for name, picture in known.items() if name in there]
        self._missing = {PurePosixPath(name).name: known[name] for name in known if name not in there}
        self._known = {PurePosixPath(each.file_name).name: each.file_name for each in self.pictures}
        struck = set(files.struck())
        found = [self._stranger(name, struck) for name in sorted(there - known.keys())]
        for what, count in (("moved by hand", found.count("moved")), ("without a record", found.count("new"))):
            self.notes += [f"{count} pictures {what} were taken up"] if count else []
        if found.count("unseen"):
            self.notes.append(
                f"{found.count('unseen')} pictures have no record, for nothing is found in them; not counted"
            )
        if self._missing:
            self.notes.append(f"{len(self._missing)} pictures are gone, and so are their records")

    def _stranger(self, name: str, struck: set[str]) -> str:
        """A picture without a record: what becomes of it."""
        base = PurePosixPath(name).name
        if name in struck:  # cut between its record's end and its own
            self._files.remove(name)
            return "struck"
        twin = self._known.get(base)
        if twin and self._files.read(twin) == self._files.read(name):  # a move was cut
            self._files.remove(name)
            return "left over"
        moved = self._missing.pop(base, None)
        if moved and (moved.objects or is_nothing(name.partition("/")[0])):
            self.pictures.append(relabelled(moved, name))
            return "moved"
        described = self._describe(self._files.root / name, name)
        if described is None:
            return "unseen"
        self.pictures.append(described)
        return "new"
