"""YOLO: `data.yaml`, and a text file per picture."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import BadData
from converter.extras import importing
from unlite.training.data.pictures import SIDES, Tree, is_picture
from unlite.training.data.records import Dataset, Example, Problem, Split
from unlite.training.data.said import Broken, Record, Said, annotated, numbers, text_of

# A class and a box; the same and a score, as predictions are saved.
BOX, SCORED_BOX = 5, 6
NAMES = re.compile(r"^names\s*:", re.MULTILINE)


def files_in(tree: Tree) -> tuple[Path, ...]:
    """The YAML files of a folder that name classes, `data.yaml` before others; empty: it is not stored so."""
    made = [file for file in tree.files if file.parent == tree.root and file.suffix.lower() in {".yaml", ".yml"}]
    named = [file for file in made if file.stem == "data" or NAMES.search(file.read_text("utf-8", "replace"))]
    return tuple(sorted(named, key=lambda file: file.stem != "data"))


@dataclass(frozen=True, slots=True)
class _Settings:
    """What data.yaml says.

    Attributes:
        file: Itself.
        names: Classes by number.
        keypoints: How many, and how many numbers each has; (0, 0): none.
        lines: Line of each member.
    """

    file: Path
    names: tuple[str, ...]
    keypoints: tuple[int, int]
    lines: dict[str, int]


def read(source: Path) -> Dataset:
    """Pictures of `train`, `val` and `test`, each a folder, a list of folders, or a text file of paths.

    Raises:
        BadData: The YAML cannot be read, or says no names.
    """
    content, settings = _opened(source)
    base = source.parent / str(content.get("path") or "")
    bases = [base, source.parent] if base.is_dir() else [source.parent]
    problems: list[Problem] = []
    examples: dict[Path, Example] = {}
    for name, side, place in _places(content):
        line = settings.lines.get(name, 0)
        try:
            pictures = list(_pictures(_found(place, bases), bases, problems))
        except Broken as error:
            problems.append(Problem(source, line, f"{name}: {error}"))
            continue
        again = [path for path in pictures if path in examples]
        if again:
            text = (
                f"{name}: {len(again)} pictures are in {examples[again[0]].split} already and stay there: {again[0]}, …"
            )
            problems.append(Problem(source, line, text))
        for path in pictures:
            if path not in examples:
                examples[path] = Example(path, _annotations(path, settings, problems), side)
    problems += _orphans(examples)
    return Dataset(settings.names, tuple(examples.values()), tuple(problems), "yolo")


def _places(content: dict[str, Any]) -> Iterator[tuple[str, Split | None, str]]:
    """Member of data.yaml, its side, and a folder or file; `images` without a side, if it names none."""
    found = False
    for name in ("train", "val", "valid", "test"):
        given = content.get(name)
        for place in given if isinstance(given, list) else [given] if given else []:
            found = True
            yield name, SIDES[name], str(place)
    if not found:
        yield "images", None, "images"


def _opened(source: Path) -> tuple[dict[str, Any], _Settings]:
    with importing("train", "reading YOLO's data.yaml"):
        import yaml
    try:
        text = text_of(source)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BadData(f"{source}{f':{mark.line + 1}' if mark else ''}: is no YAML: {error}") from None
    except Broken as error:
        raise BadData(f"{source}: {error}") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
        names = [name for _, name in sorted(names.items(), key=lambda item: int(item[0]))]
    if not isinstance(names, list) or not names:
        raise BadData(f"{source}: names is neither a list of classes nor a table from 0 on: {names!r}")
    lines = {match[1]: text.count("\n", 0, match.start()) + 1 for match in re.finditer(r"(?m)^(\w+)\s*:", text)}
    return content, _Settings(source, tuple(map(str, names)), _keypoints(content, source), lines)


def _keypoints(content: dict[str, Any], source: Path) -> tuple[int, int]:
    shape = content.get("kpt_shape")
    if shape is None:
        return 0, 0
    try:
        count, each = (int(number) for number in numbers(shape, "kpt_shape", 2))
    except Broken as error:
        raise BadData(f"{source}: {error}") from None
    if count < 1 or each not in {2, 3}:
        raise BadData(f"{source}: kpt_shape is {shape}; a number of keypoints and 2 or 3 are expected")
    return count, each


def _found(place: str, bases: list[Path]) -> Path:
    """A folder or file of data.yaml. Roboflow writes `../train/images` beside `train/`, and YOLO takes it for that."""
    tries = [base / name for base in bases for name in (place, re.sub(r"^(\.\./)+", "", place))]
    found = next((path for path in tries if path.exists()), None)
    if found is None:
        raise Broken(f"no such file or folder: {place}")
    return Path(os.path.normpath(found))


def _pictures(place: Path, bases: list[Path], problems: list[Problem]) -> Iterator[Path]:
    if place.is_dir():
        yield from Tree(place).pictures
        return
    for number, line in enumerate(text_of(place).splitlines(), start=1):
        if not line.strip():
            continue
        tries = [base / line.strip() for base in (place.parent, *bases)]
        found = next((path for path in tries if path.is_file()), None)
        if found is None or not is_picture(found):
            problems.append(Problem(place, number, f"no such picture: {line.strip()!r}"))
        else:
            yield Path(os.path.normpath(found))


def _labels_of(path: Path) -> Path:
    """`labels/a.txt` for `images/a.jpg`."""
    parts = list(path.with_suffix(".txt").parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _annotations(path: Path, settings: _Settings, problems: list[Problem]) -> tuple[Any, ...]:
    file = _labels_of(path)
    if not file.is_file():
        return ()
    try:
        lines = text_of(file).splitlines()
    except Broken as error:
        problems.append(Problem(file, 0, str(error)))
        return ()
    records = [Record(file, number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    return annotated(records, _parser_of(settings), problems)


def _parser_of(settings: _Settings) -> Callable[[list[str]], Said]:
    count, each = settings.keypoints

    def said(words: list[str]) -> Said:
        number, *rest = numbers(words, "the line")
        if number not in range(len(settings.names)):
            raise Broken(f"class {words[0]} is unknown; data.yaml names {len(settings.names)}, from 0 on")
        label = settings.names[int(number)]
        if count and len(words) == BOX + count * each:
            return Said(label, _corners(rest[:4]), _points(rest[4:], each))
        if len(words) in {BOX, SCORED_BOX}:
            return Said(label, _corners(rest[:4]))
        if len(words) > SCORED_BOX and len(rest) % 2 == 0 and not count:
            xs, ys = rest[::2], rest[1::2]
            return Said(label, (min(xs), min(ys), max(xs), max(ys)))
        raise Broken(f"{len(words)} numbers are neither a box, nor a polygon, nor what kpt_shape says")

    return said


def _corners(box: list[float]) -> tuple[float, ...]:
    x, y, width, height = box
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _points(flat: list[float], each: int) -> tuple[tuple[float, float], ...]:
    """None, if one of them is not labelled: it has no place, and without it the others would move up."""
    points = [tuple(flat[at : at + each]) for at in range(0, len(flat), each)]
    if any(point[2] == 0 if each == 3 else min(point) < 0 for point in points):
        return ()
    return tuple((point[0], point[1]) for point in points)


def _orphans(examples: dict[Path, Example]) -> list[Problem]:
    """Text files that lie where those of pictures do, and belong to none."""
    expected = {_labels_of(path) for path in examples}
    return [
        Problem(file, 0, "no picture belongs to it")
        for folder in sorted({file.parent for file in expected if file.parent.name != "images"})
        for file in sorted(folder.glob("*.txt"))
        if file not in expected and file.stem != "classes" and "labels" in file.parts
    ]
