"""A folder per label."""

from pathlib import Path

from unlite.detection.images import VIDEOS
from unlite.training.data.pictures import SIDES, Tree, is_picture
from unlite.training.data.records import Annotation, Dataset, Example, Problem

# Folders of pictures in which there is nothing.
NOTHING = ("none", "background", "nothing", "negative", "negatives")
LITTER = {"desktop.ini", "thumbs.db"}


def read(tree: Tree) -> Dataset:
    """`fist/*.jpg`, or `fist/anna/*.jpg`, or these below `train/`, `val/` and `test/`."""
    tops = sorted({file.relative_to(tree.root).parts[0] for file in tree.files if file.parent != tree.root})
    # A label may be called "test", beside others that are no sides.
    sided = any(SIDES.get(top.lower()) == "train" for top in tops) or all(top.lower() in SIDES for top in tops)
    strangers = {top for top in tops if sided and top.lower() not in SIDES}
    problems = [
        Problem(tree.root / top, 0, "lies beside the folders of the split; not read") for top in sorted(strangers)
    ]
    examples = []
    for file in tree.files:
        folders = file.relative_to(tree.root).parts[:-1]
        if folders and folders[0] in strangers:
            continue
        label, *below = folders[1 if sided else 0 :] or ("",)
        if not is_picture(file):
            problems += _not_read(file) if label else ()
        elif not label:
            problems.append(Problem(file, 0, "lies in no label's folder"))
        else:
            annotations = () if label.lower() in NOTHING else (Annotation(label),)
            side = SIDES[folders[0].lower()] if sided else None
            examples.append(Example(file, annotations, side, below[0] if below else ""))
    labels = sorted({label for example in examples for label in example.labels})
    return Dataset(tuple(labels), tuple(examples), tuple(problems), "folders")


def _not_read(file: Path) -> tuple[Problem, ...]:
    if file.name.lower() in LITTER:
        return ()
    if file.suffix.lower() in VIDEOS:
        return (Problem(file, 0, "is a video; save the frames that show the label as pictures"),)
    return (Problem(file, 0, f"{file.suffix or 'a file without suffix'} is not read as a picture"),)
