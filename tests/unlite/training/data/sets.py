"""Data sets, written by hand as people's tools write them."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unlite.training.data import Annotation, Dataset

SIZE = (200, 100)


def picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A picture without anything in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path


def written(path: Path, content: object) -> Path:
    """JSON with a record a line."""
    return text(path, json.dumps(content, indent=1))


def coco(path: Path, annotations: list[Any], **more: Any) -> Path:
    """Pictures a.png (id 1) and b.png (id 2) beside a file, and their labels fist (5) and palm (7)."""
    for name in ("a.png", "b.png"):
        picture(path.parent / name)
    width, height = SIZE
    content: dict[str, Any] = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": width, "height": height},
            {"id": 2, "file_name": "b.png", "width": width, "height": height},
        ],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "palm"}, {"id": 5, "name": "fist"}],
    }
    return written(path, {**content, **more})


def voc(label: str, *corners: object, size: tuple[int, int] | None = SIZE, filename: str = "x.png") -> str:
    """An annotation file with one object, its box in pixels from 1 on; its object is in line 4."""
    sides = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    box = "".join(f"<{tag}>{n}</{tag}>" for tag, n in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return (
        f"<annotation>\n <filename>{filename}</filename>\n {sides}\n"
        f" <object><name>{label}</name>\n  <bndbox>{box}</bndbox></object>\n</annotation>\n"
    )


def by_name(dataset: Dataset) -> dict[str, tuple[Annotation, ...]]:
    """Name of a picture → its annotations."""
    return {example.path.name: example.annotations for example in dataset.examples}


def problems(dataset: Dataset) -> list[tuple[str, int, str]]:
    """File, line and text of each problem."""
    return [(problem.file.name, problem.line, problem.text) for problem in dataset.problems]


def box(dataset: Dataset, name: str) -> Any:
    """Of the only object of a picture, to compare with."""
    (annotation,) = by_name(dataset)[name]
    assert annotation.box_xywh is not None
    return pytest.approx(annotation.box_xywh)
