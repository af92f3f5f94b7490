"""COCO JSON, read; also as Roboflow lays it out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from converter.errors import BadData
from unlite.training.data.coco.groups import grouped, marks_in
from unlite.training.data.pictures import SIDES, Tree, size_of
from unlite.training.data.placed_json import members
from unlite.training.data.records import Dataset, Example, Problem, Split
from unlite.training.data.said import Broken, Record, Said, annotated, numbers

ROBOFLOW = "_annotations.coco.json"


def files_in(tree: Tree) -> tuple[Path, ...]:
    """The annotation files of a folder; empty: it is not stored so."""
    near = (tree.root, tree.root / "annotations")
    return tuple(
        file
        for file in tree.files
        if file.name == ROBOFLOW
        or (file.suffix.lower() == ".json" and file.parent in near and b'"images"' in file.read_bytes())
    )


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    size: tuple[float, float]
    line: int
    marks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    """What one file says: its records by id, what is wrong with it, and what it calls pictures that are missing."""

    source: Path
    side: Split | None
    parts: Mapping[str, list[Record]]
    categories: dict[int | str, str] = field(default_factory=dict)
    pictures: dict[int | str, _Picture] = field(default_factory=dict)
    missing: set[int | str] = field(default_factory=set)


def read(sources: Sequence[Path], tree: Tree, *, everywhere: bool = True) -> Dataset:
    """All pictures of all files; what `groups` says of them are their groups.

    Args:
        sources: The files.
        tree: Where the pictures are.
        everywhere: Whether any picture there that has no record is a problem; else only one that lies below the
            innermost folder of those that have.

    Raises:
        BadData: A file is no JSON.
    """
    problems: list[Problem] = []
    files = [_opened(source, tree) for source in sources]
    usable = [file for file in files if file.parts["images"] and file.parts["categories"]]
    problems += [
        Problem(file.source, 0, "has no images or no categories; not read") for file in files if file not in usable
    ]
    examples: dict[Path, Example] = {}
    marks: dict[Path, Mapping[str, str]] = {}
    for file in usable:
        _read_categories(file, problems)
        _read_pictures(file, tree, problems)
        again = [picture.path for picture in file.pictures.values() if picture.path in examples]
        if again:
            text = f"{len(again)} of its pictures are in another file as well, which counts; the first: {again[0]}"
            problems.append(Problem(file.source, 0, text))
        for example in _examples(file, problems):
            examples.setdefault(example.path, example)
        for picture in file.pictures.values():
            marks.setdefault(picture.path, picture.marks)
    made = Dataset(_labels(usable), grouped([*examples.values()], [*marks.values()]), form="coco")
    if made.examples:
        problems += _unrecorded(made, tree.pictures, tree.root if everywhere else made.folder)
    return replace(made, problems=tuple(problems))


def _unrecorded(dataset: Dataset, pictures: Iterable[Path], folder: Path) -> Iterator[Problem]:
    """One for each folder, at or below one, with pictures of which nobody says what is in them."""
    place = cache(Path.resolve)  # of a folder: records may name it by way of another one, or by a link
    recorded = {(place(example.path.parent), example.path.name) for example in dataset.examples}
    below, missing = folder.resolve(), defaultdict(list)
    for path in pictures:
        if place(path.parent).is_relative_to(below) and (place(path.parent), path.name) not in recorded:
            missing[path.parent].append(path)
    for parent, (first, *more) in missing.items():
        if more:
            text = f"{len(more) + 1} pictures have no record that was read, and are left out; the first: {first.name}"
            yield Problem(parent, 0, text)
        else:
            yield Problem(first, 0, "has no record that was read, and is left out")


def _opened(source: Path, tree: Tree) -> _File:
    parts: dict[str, list[Record]] = defaultdict(list)
    try:
        for name, record in members(source):
            parts[name].append(record)
    except Broken as error:
        raise BadData(f"{source}{f':{error.line}' if error.line else ''}: {error}") from None
    words = source.stem.lower().replace("-", "_").rstrip("0123456789").split("_")
    side = tree.side(source) or next((SIDES[word] for word in words if word in SIDES), None)
    return _File(source, side, parts)


def _read_categories(file: _File, problems: list[Problem]) -> None:
    for record in file.parts["categories"]:
        try:
            name = _member(record, "name")
            file.categories[_identity(record, "id")] = str(name)
        except Broken as error:
            problems.append(record.problem(error))


def _read_pictures(file: _File, tree: Tree, problems: list[Problem]) -> None:
    for record in file.parts["images"]:
        try:
            identity = _identity(record, "id")
        except Broken as error:
            problems.append(record.problem(error))
            continue
        try:
            made = _picture(record, tree, file)
        except Broken as error:
            problems.append(record.problem(error))
            file.missing.add(identity)
            continue
        if file.pictures.setdefault(identity, made) is not made:
            problems.append(record.problem(f"another image has this id (line {file.pictures[identity].line})"))


def _picture(record: Record, tree: Tree, file: _File) -> _Picture:
    path = tree.find(str(_member(record, "file_name")), file.source.parent, file.side)
    return _Picture(path, _size(record, path), record.line, marks_in(record.value))


def _examples(file: _File, problems: list[Problem]) -> list[Example]:
    objects: dict[int | str, list[Record]] = defaultdict(list)
    for record in file.parts["annotations"]:
        try:
            identity = _identity(record, "image_id")
        except Broken as error:
            problems.append(record.problem(error))
            continue
        objects[identity].append(record)
        if identity not in file.pictures and identity not in file.missing:
            problems.append(record.problem(f"image_id {identity!r} is no image of this file"))

    def example(identity: int | str, picture: _Picture) -> Example:
        def parse(value: dict[str, Any]) -> Said | None:
            return _said(value, file.categories, picture.size)

        return Example(picture.path, annotated(objects[identity], parse, problems), file.side)

    return [example(identity, picture) for identity, picture in file.pictures.items()]


def _said(value: dict[str, Any], categories: Mapping[int | str, str], size: tuple[float, float]) -> Said | None:
    if value.get("iscrowd"):
        return None
    category = value.get("category_id")
    if not isinstance(category, int | str) or category not in categories:
        raise Broken(f"unknown category_id {category!r}")
    left, top, width, height = numbers(value.get("bbox"), "bbox", 4)
    corners = (left / size[0], top / size[1], (left + width) / size[0], (top + height) / size[1])
    flat = numbers(value.get("keypoints") or [], "keypoints")
    if len(flat) % 3:
        raise Broken(f"keypoints has {len(flat)} numbers; x, y and v of each are expected")
    # One that is not labelled has no place, and without it the others would move up.
    if 0 in flat[2::3]:
        flat = ()
    points = tuple((x / size[0], y / size[1]) for x, y in zip(flat[::3], flat[1::3], strict=True))
    return Said(categories[category], corners, points)


def _labels(files: Sequence[_File]) -> tuple[str, ...]:
    """Names by number, without the category 0 by which Roboflow names the whole: no annotation uses it."""
    names: dict[str, None] = {}
    for file in files:
        used = [record.value.get("category_id") for record in file.parts["annotations"] if _is_object(record)]
        above = [record.value.get("supercategory") for record in file.parts["categories"] if _is_object(record)]
        for identity, name in sorted(file.categories.items(), key=lambda item: (isinstance(item[0], str), item[0])):
            if identity != 0 or name not in above or identity in used:
                names[name] = None
    return tuple(names)


def _size(record: Record, path: Path) -> tuple[float, float]:
    sides = record.value.get("width"), record.value.get("height")
    if all(isinstance(side, int | float) and isfinite(side) and side > 0 for side in sides):
        return sides
    return size_of(path)


def _is_object(record: Record) -> bool:
    return isinstance(record.value, dict)


def _member(record: Record, name: str) -> Any:
    if not _is_object(record):
        raise Broken(f"is no object: {record.value!r}")
    if record.value.get(name) in (None, ""):
        raise Broken(f"has no {name}")
    return record.value[name]


def _identity(record: Record, name: str) -> int | str:
    value = _member(record, name)
    if not isinstance(value, int | str):
        raise Broken(f"{name} is neither number nor text: {value!r}")
    return value
