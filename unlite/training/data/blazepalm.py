"""JSON beside each picture, as re-implementations of BlazePalm have it."""

from pathlib import Path
from typing import Any

from unlite.training.data.pictures import Tree
from unlite.training.data.placed_json import elements
from unlite.training.data.records import Dataset, Example, Problem
from unlite.training.data.said import Broken, Said, annotated, numbers

KEYPOINTS = 7


def files_in(tree: Tree) -> tuple[Path, ...]:
    """The annotation files of a folder; empty: it is not stored so."""
    return tuple(file for file in tree.files if file.suffix.lower() == ".json" and tree.beside(file) is not None)


def read(tree: Tree) -> Dataset:
    """`label`, `bounding_box` [xmin, ymin, xmax, ymax] as shares, `key_points`: one object, or a list of them."""
    problems: list[Problem] = []
    examples: dict[Path, Example] = {}
    for file in (file for file in tree.files if file.suffix.lower() == ".json"):
        try:
            path = _picture(file, tree)
            records = list(elements(file))
        except Broken as error:
            problems.append(Problem(file, error.line, str(error)))
            continue
        examples[path] = Example(path, annotated(records, _said, problems), tree.side(path))
    problems += [
        Problem(path, 0, "has no JSON, so that nobody says what is in it; left out")
        for path in tree.pictures
        if path not in examples
    ]
    labels = sorted({label for example in examples.values() for label in example.labels})
    return Dataset(tuple(labels), tuple(examples.values()), tuple(problems), "blazepalm")


def _picture(file: Path, tree: Tree) -> Path:
    path = tree.beside(file)
    if path is None:
        raise Broken("no picture of this name lies beside it")
    return path


def _said(value: Any) -> Said:
    if not isinstance(value, dict):
        raise Broken(f"is no object: {value!r}")
    label = value.get("label")
    if not isinstance(label, int | str) or label == "":
        raise Broken(f"label is {label!r}")
    points = value.get("key_points") or []
    if isinstance(points, list) and all(isinstance(point, list) for point in points):
        flat = tuple(share for point in points for share in numbers(point, "a key point", 2))
    else:
        flat = numbers(points, "key_points")
    if len(flat) not in {0, 2 * KEYPOINTS}:
        raise Broken(f"key_points has {len(flat)} numbers instead of {2 * KEYPOINTS}")
    corners = numbers(value.get("bounding_box"), "bounding_box", 4)
    return Said(str(label), corners, tuple(zip(flat[::2], flat[1::2], strict=True)))
