"""Reads a data set, whatever form it is stored in.

Python's json, defusedxml and pyyaml parse; what their values mean is said in this package. `supervision` reads the same
forms, but drops keypoints, stops at the first bad record and names no line; pycocotools and faster-coco-eval check
nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from converter.errors import BadData
from unlite.training.data import blazepalm, folders, voc, yolo
from unlite.training.data.coco import reading as coco
from unlite.training.data.pictures import Tree
from unlite.training.data.records import Dataset, Problem

FORMS = "a folder per label, COCO JSON, Pascal VOC, YOLO's data.yaml, or JSON beside each picture"


def read_dataset(path: Path, labels: Sequence[str] | None = None) -> Dataset:
    """Read pictures and labels; the form is found by looking.

    Records that cannot be used are left out and listed in `problems`. Picture files are not opened, except where
    nothing else says how large they are.

    Args:
        path: A folder, a JSON file of COCO, or YOLO's data.yaml.
        labels: Which classes, in which order; others are left out, their pictures stay. Default: all that it has.

    Raises:
        BadData: Nothing can be learned from it: no such folder, no pictures, no such label, nothing to tell the only
            label from, or the file that describes it cannot be read.
        MissingBackend: The extra `train` is not installed, and this form needs it.
    """
    if not path.exists():
        raise BadData(f"no such file or folder: {path}")
    dataset = _in_folder(path) if path.is_dir() else _in_file(path)
    if not dataset.examples:
        first = f"; the first of {len(dataset.problems)} problems: {dataset.problems[0]}" if dataset.problems else ""
        raise BadData(f"{path}: no pictures{first}", f"what is read: {FORMS}")
    if not dataset.labels:
        raise BadData(f"{path}: no labels, only pictures", f"what is read: {FORMS}")
    if labels is not None:
        dataset = _picked(dataset, labels, path)
    _check_choice(dataset, path)
    unseen = [label for label, counts in dataset.counts().items() if label and not counts]
    return replace(
        dataset, problems=(*dataset.problems, *(Problem(path, 0, f"no picture shows {label!r}") for label in unseen))
    )


def _in_file(path: Path) -> Dataset:
    if path.suffix.lower() in {".yaml", ".yml"}:
        return yolo.read(path)
    if path.suffix.lower() == ".json":
        tree = Tree(path.parent.parent if path.parent.name == "annotations" else path.parent)
        return coco.read([path], tree, everywhere=False)
    raise BadData(f"{path} is neither a folder nor a file that describes a data set", f"what is read: {FORMS}")


def _in_folder(path: Path) -> Dataset:
    tree = Tree(path)
    if described := yolo.files_in(tree):
        if len(described) > 1 and described[0].stem != "data":
            raise BadData(f"{path} has several YAML files: {', '.join(file.name for file in described)}", "name one")
        return yolo.read(described[0])
    if voc.files_in(tree):
        return voc.read(tree)
    if blazepalm.files_in(tree):
        return blazepalm.read(tree)
    if files := coco.files_in(tree):
        return coco.read(files, tree)
    if (path / "images").is_dir() and (path / "labels").is_dir():
        raise BadData(f"{path} has images/ and labels/, but no data.yaml", "data.yaml says names, train and val")
    return folders.read(tree)


def _picked(dataset: Dataset, labels: Sequence[str], path: Path) -> Dataset:
    unknown = [label for label in labels if label not in dataset.labels]
    if unknown or not labels or len(set(labels)) < len(labels):
        what = f"has no label {', '.join(map(repr, unknown))}" if unknown else "labels are none, or one of them twice"
        raise BadData(f"{path}: {what}", f"there are: {', '.join(dataset.labels)}")
    examples = tuple(
        replace(example, annotations=tuple(said for said in example.annotations if said.label in labels))
        for example in dataset.examples
    )
    return replace(dataset, labels=tuple(labels), examples=examples)


def _check_choice(dataset: Dataset, path: Path) -> None:
    """Whether there is anything to tell apart."""
    said = [annotation for example in dataset.examples for annotation in example.annotations]
    if not said:
        first = f"; the first of {len(dataset.problems)} problems: {dataset.problems[0]}" if dataset.problems else ""
        raise BadData(f"{path}: nothing in any picture{first}")
    one = len({annotation.label for annotation in said}) == 1
    if one and all(example.annotations for example in dataset.examples) and not any(item.box_xywh for item in said):
        raise BadData(
            f"{path}: every picture shows {said[0].label!r}, so that there is nothing to tell it from",
            f"add another label, or pictures without one in a folder called {' or '.join(folders.NOTHING[:2])}",
        )
