"""`unlite detect`: one model, or two beside each other, on any number of pictures."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.extras import check_extra
from unlite.commands.frame import DETECTOR, JSON, Result, Verb, find, working

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rich.console import Console

    from unlite.detection.looking.look import Look, Models
    from unlite.training.data.coco.found import FoundFile


def add_options(parser: argparse.ArgumentParser) -> None:
    """Pictures, the models that look at them, and where to draw what they find."""
    text = "a picture, a video, a folder with both in it or below it, or the number of a camera"
    parser.add_argument("pictures", nargs="+", metavar="IMAGE", help=text)
    text = "a detector: .tflite, .keras, or a known model's name (default: %(default)s)"
    parser.add_argument("--model", default="palm_detection_full", metavar="MODEL", help=text)
    parser.add_argument("--detector", **DETECTOR)
    text = "a second detector to compare with; exit code 1 if it finds something else"
    parser.add_argument("--against", metavar="ORIGINAL", help=text)
    text = "a hand landmark model, to find 21 landmarks in the hand of each palm"
    parser.add_argument("--landmarks", metavar="MODEL", help=text)
    text = "a model that names what is in each region found (.tflite or .keras, with labels); `none` is dropped"
    parser.add_argument("--classifier", metavar="MODEL", help=text)
    text = "what scores less is dropped (default: what the model's file suggests, or else the detector's)"
    parser.add_argument("--min-score", type=float, metavar="S", help=text)
    text = "what overlaps is one thing: of any class (all, as in MediaPipe) or of the same (default: %(default)s)"
    parser.add_argument("--suppress", choices=["all", "class"], default="all", help=text)
    text = "look again with room around the picture where nothing is found for sure: for what fills it"
    parser.add_argument("--near", action="store_true", help=text)
    text = "draw what is found: a picture (.png, .jpg, .webp), or a folder for several"
    parser.add_argument("--draw", type=Path, metavar="OUT", help=text)
    text = "write what is found as COCO JSON, from which `unlite finetune` trains; frames of videos go beside it"
    parser.add_argument("--coco", type=Path, metavar="OUT.json", help=text)
    text = "most frames of a video or camera (default: all of a video, 1 of a camera)"
    parser.add_argument("--frames", type=int, metavar="N", help=text)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Look at the pictures; for people, each is told as soon as it has been looked at."""
    from parity.report.text import make_console
    from unlite.detection.images import find_sources, has_frames
    from unlite.detection.looking.look import look

    check_extra("detect", "unlite detect")
    sources, load = find_sources(arguments.pictures), _loader(arguments)
    all_ = "" if any(map(has_frames, sources)) else f"/{len(sources)}"
    console, pictures, is_same = make_console(), [], True
    with working("loading") as progress, ExitStack() as files:
        models = load()
        finder = models.finder
        coco = files.enter_context(_coco(arguments.coco, models)) if arguments.coco else None
        progress("looking")
        for number, seen in enumerate(look(sources, models, draw=arguments.draw, limit=arguments.frames), start=1):
            progress(f"looking {number}{all_}")
            is_same = is_same and (seen.difference is None or seen.difference.is_same)
            if coco:
                coco.add(seen.frame, seen.ours.found, _called(seen, models))
            if arguments.json:
                pictures.append(seen.as_dict(finder))
            else:
                show(seen.as_dict(finder), console)
    document = {
        "model": finder.name,
        "detector": finder.detector.name,
        "min_score": finder.detector.min_score,
        "labels": finder.labels.as_dict() if finder.labels else None,
        "pictures": pictures,
    }
    return Result(lambda: document, lambda console: _wrote(arguments.coco, coco, console), is_same)


def _coco(path: Path, models: "Models") -> "AbstractContextManager[FoundFile]":
    from unlite.training.data.coco.found import found_file

    return found_file(path, models.labels, models.finder.detector.keypoints)


def _called(seen: "Look", models: "Models") -> list[str]:
    """What each thing that was found is; of a detector without labels all are of one kind."""
    return [named.label for named in seen.ours.names] or [*models.labels] * len(seen.ours.found)


def _wrote(path: Path, coco: "FoundFile | None", console: "Console") -> None:
    if coco:
        count = sum(len(picture.objects) for picture in coco.pictures)
        console.print(f"wrote {path}: {len(coco.pictures)} pictures, {count} found in them")


def _loader(arguments: argparse.Namespace) -> "Callable[[], Models]":
    """Find all files, some of which may have to be fetched; loads them when called."""
    from converter import detectors
    from unlite.detection.finder import load_finder
    from unlite.detection.landmarks import load_landmarks
    from unlite.detection.looking.look import Models, most_threads
    from unlite.detection.second_stage import load_second_stage

    wanted = detectors.find(arguments.detector) if arguments.detector else None
    model = find(arguments.model)
    others = arguments.against, arguments.landmarks, arguments.classifier
    against, hands, classifier = (find(name) if name else None for name in others)

    def load() -> Models:
        settings: dict[str, Any] = {"by_class": arguments.suppress == "class", "near": arguments.near}
        min_score = arguments.min_score
        finder = load_finder(model, wanted, min_score=min_score, **settings)
        if min_score is None and finder.labels:  # what is compared has to score as much
            min_score = finder.labels.threshold
        named = load_second_stage(classifier, finder.detector) if classifier else None
        if named and min_score is None:
            finder = named.patient(finder)
        return Models(
            finder,
            load_finder(against, wanted, min_score=min_score, **settings) if against else None,
            load_landmarks(hands) if hands else None,
            named,
            most_threads(file for file in (model, against, hands, classifier) if file),
        )

    return load


def show(seen: dict[str, Any], console: "Console") -> None:
    """One picture, as `Look.as_dict` gives it."""
    from parity.report.text import aligned, rounded

    rows, size = seen["detections"], f"{seen['width']}×{seen['height']}"
    console.out(f"{seen['picture']}  {size}  {len(rows) or 'nothing'} found", style="bold")
    if rows:
        columns = _class_columns(rows)
        columns.append(("#score", [f"{row['score']:.3f}" for row in rows]))
        for side in rows[0]["box"]:
            columns.append((f"#{side}", [rounded(row["box"][side], ".1f") for row in rows]))
        for name in rows[0]["keypoints"]:
            points = (row["keypoints"][name] for row in rows)
            columns.append((f"#{name}", [", ".join(rounded(value, ".0f") for value in point) for point in points]))
        titles, *lines = aligned(columns)
        console.out(titles, style="bold")
        console.out("\n".join(lines))
    for hand in seen.get("hands", ()):
        console.print(f"{hand['handedness']} hand, {hand['handedness_score']:.2f}, presence {hand['presence']:.2f}")
    if "difference" in seen:
        console.print(seen["difference"]["text"])
    if "drawing" in seen:
        console.print(f"drawn into {seen['drawing']}")


def _class_columns(rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """What tells classes apart: columns and their cells."""
    if "label" not in rows[0]:
        has_classes = any(row["class"] for row in rows)  # with one class alone all are 0
        return [("#class", [str(row["class"]) for row in rows])] if has_classes else []
    made = [("label", [row["label"] for row in rows])]
    return made + (
        [("#probability", [f"{row['probability']:.3f}" for row in rows])] if "probability" in rows[0] else []
    )


VERB = Verb("detect", "Find hands, faces or people in pictures; compare two models.", add_options, run)
