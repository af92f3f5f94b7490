"""Pascal VOC: XML per picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from converter.extras import importing
from unlite.training.data.pictures import Tree, size_of
from unlite.training.data.records import Dataset, Example, Problem, Split
from unlite.training.data.said import Broken, Record, Said, annotated

# No attribute of XML can be called so.
LINE = ":line"
SETS: tuple[Split, ...] = ("train", "val", "test")


class _Numbered(TreeBuilder):
    """Notes the line of every element."""

    line: Callable[[], int]

    def start(self, tag: Any, attrs: Any) -> Element:
        return super().start(tag, {**attrs, LINE: str(self.line())})


def files_in(tree: Tree) -> tuple[Path, ...]:
    """The annotation files of a folder; empty: it is not stored so."""
    return tuple(file for file in tree.files if file.suffix.lower() == ".xml")


def read(tree: Tree) -> Dataset:
    """XML beside the pictures, or `Annotations/`, `JPEGImages/` and perhaps `ImageSets/Main/{train,val,test}.txt`."""
    problems: list[Problem] = []
    sides = _image_sets(tree, problems)
    examples: dict[Path, Example] = {}
    for file in files_in(tree):
        try:
            root = _parsed(file)
            path = _picture(root, file, tree)
            said = _parser_of(_size(root, path))
        except Broken as error:
            problems.append(Problem(file, error.line, str(error)))
            continue
        records = [Record(file, _line(element), element) for element in root.iter("object")]
        if path in examples:
            problems.append(Problem(file, 0, f"{path} has an XML already"))
            continue
        side = sides.get(file.stem) or tree.side(path) or tree.side(file)
        examples[path] = Example(path, annotated(records, said, problems), side)
    folders = {path.parent for path in examples}
    problems += [
        Problem(path, 0, "has no XML, so that nobody says what is in it; left out")
        for path in tree.pictures
        if path not in examples and path.parent in folders
    ]
    labels = sorted({label for example in examples.values() for label in example.labels})
    return Dataset(tuple(labels), tuple(examples.values()), tuple(problems), "voc")


def _parsed(file: Path) -> Element:
    with importing("train", "reading Pascal VOC"):
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser
    builder = _Numbered()
    parser = DefusedXMLParser(target=builder)
    builder.line = lambda: parser.parser.CurrentLineNumber
    try:
        parser.feed(file.read_bytes())
        root: Element = parser.close()
    except ParseError as error:
        raise Broken(f"is no XML: {error}", error.position[0]) from None
    except DefusedXmlException as error:
        raise Broken(f"declares entities, which are not read: {error}") from None
    except OSError as error:
        raise Broken(f"cannot be read: {error.strerror}") from None
    if root.tag != "annotation":
        raise Broken(f"is no annotation of Pascal VOC but <{root.tag}>", _line(root))
    return root


def _picture(root: Element, file: Path, tree: Tree) -> Path:
    """Beside the XML, or in the folder that VOC has for them, or wherever its name is."""
    near = (file.parent, file.parent.parent / "JPEGImages", file.parent.parent / "images")
    beside = next((path for folder in near if (path := tree.beside(folder / file.name))), None)
    if beside is not None:
        return beside
    name = root.find("filename")
    try:
        return tree.find(_text(root, "filename"), file.parent, tree.side(file))
    except Broken as error:
        raise Broken(str(error), _line(root if name is None else name)) from None


def _size(root: Element, path: Path) -> tuple[float, float]:
    size = root.find("size")
    try:
        if size is not None and (width := _number(size, "width")) > 0 and (height := _number(size, "height")) > 0:
            return width, height
    except Broken:
        pass
    return size_of(path)


def _parser_of(size: tuple[float, float]) -> Callable[[Element], Said]:
    def said(element: Element) -> Said:
        label = _text(element, "name")
        box = element.find("bndbox")
        if box is None:
            raise Broken("has no bndbox")
        left, top, right, bottom = (_number(box, tag) for tag in ("xmin", "ymin", "xmax", "ymax"))
        # Pixels count from 1, and the last one belongs to the box; tools that count from 0 are off by that one.
        left, top = (min(side, max(side - 1, 0)) for side in (left, top))
        return Said(label, (left / size[0], top / size[1], right / size[0], bottom / size[1]))

    return said


def _image_sets(tree: Tree, problems: list[Problem]) -> dict[str, Split]:
    """Name of a picture without suffix → its side."""
    known = {file.stem for file in files_in(tree)}
    made: dict[str, Split] = {}
    for side in SETS:
        for file in tree.files:
            if file.parts[-3:] != ("ImageSets", "Main", f"{side}.txt"):
                continue
            for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), start=1):
                stem = line.split()[0] if line.split() else ""
                if stem and stem not in known:
                    problems.append(Problem(file, number, f"no XML is called {stem!r}"))
                elif stem and made.setdefault(stem, side) != side:
                    problems.append(Problem(file, number, f"{stem!r} is in {made[stem]} already"))
    return made


def _text(element: Element, tag: str) -> str:
    child = element.find(tag)
    text = "" if child is None else (child.text or "").strip()
    if not text:
        raise Broken(f"has no {tag}")
    return text


def _number(element: Element, tag: str) -> float:
    text = _text(element, tag)
    try:
        return float(text)
    except ValueError:
        raise Broken(f"{tag} is no number: {text!r}") from None


def _line(element: Element) -> int:
    return int(element.get(LINE, "0"))
