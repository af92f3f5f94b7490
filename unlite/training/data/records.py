"""What a data set is, whatever form it was stored in."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One labelled object.

    Attributes:
        label: What it is.
        box_xywh: Left, top, width, height as shares of the picture; None: nobody has said where it is.
        keypoints_xy: (x, y) as shares of the picture, in the order of the data set; empty: none.
    """

    label: str
    box_xywh: tuple[float, float, float, float] | None = None
    keypoints_xy: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One picture.

    Attributes:
        path: Its file.
        annotations: What is in it; empty: nothing of what the data set is about.
        split: Which side it is on; None: not said.
        group: A person, a video: what must not be on both sides. Empty: unknown.
    """

    path: Path
    annotations: tuple[Annotation, ...] = ()
    split: Split | None = None
    group: str = ""

    @property
    def labels(self) -> frozenset[str]:
        """What is in it."""
        return frozenset(annotation.label for annotation in self.annotations)


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that was left out.

    Attributes:
        file: Where it is written.
        line: Its line there, from 1; 0: the file as a whole.
        text: What is wrong with it.
    """

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures and their labels.

    Attributes:
        labels: Names of the classes, in the order of their numbers.
        examples: All pictures.
        problems: Records that were left out.
        form: How it was stored: `folders`, `coco`, `voc`, `yolo` or `blazepalm`.
    """

    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...] = ()
    form: str = "folders"

    def of(self, split: Split) -> Iterator[Example]:
        """Those of one side."""
        return (example for example in self.examples if example.split == split)

    @property
    def folder(self) -> Path:
        """The innermost folder that all pictures lie in."""
        return Path(os.path.commonpath([example.path.absolute().parent for example in self.examples]))

    def counts(self) -> dict[str, Counter[Split | None]]:
        """Label → side → how many pictures show it; under "": pictures that show none."""
        made: dict[str, Counter[Split | None]] = {label: Counter() for label in (*self.labels, "")}
        for example in self.examples:
            for label in example.labels or {""}:
                made[label][example.split] += 1
        return made
