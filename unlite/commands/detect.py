"""`unlite detect`: one model, or two beside each other, on any number of pictures."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import BadDetector, BadPicture, OutputNotWritten
from converter.extras import check_extra
from converter.files import check_output, whole_file
from unlite.commands.frame import DETECTOR, JSON, Result, Verb, find, working

if TYPE_CHECKING:
    from rich.console import Console

    from parity.runners.runtimes import Run
    from unlite.detection.finder import Difference, Finder
    from unlite.detection.images import Frame
    from unlite.detection.landmarks import Hand
    from unlite.detection.pipeline import Detections

FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Pictures, the models that look at them, and where to draw what they find."""
    text = "a picture, a video, or the number of a camera"
    parser.add_argument("pictures", nargs="+", metavar="IMAGE", help=text)
    text = "a detector: .tflite, .keras, or a known model's name (default: %(default)s)"
    parser.add_argument("--model", default="palm_detection_full", metavar="MODEL", help=text)
    parser.add_argument("--detector", **DETECTOR)
    text = "a second detector to compare with; exit code 1 if it finds something else"
    parser.add_argument("--against", metavar="ORIGINAL", help=text)
    text = "a hand landmark model, to find 21 landmarks in the hand of each palm"
    parser.add_argument("--landmarks", metavar="MODEL", help=text)
    text = "draw what is found: a picture (.png, .jpg, .webp), or a folder for several"
    parser.add_argument("--draw", type=Path, metavar="OUT", help=text)
    text = "most frames of a video or camera (default: all of a video, 1 of a camera)"
    parser.add_argument("--frames", type=int, metavar="N", help=text)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Look at the pictures; for people, each is told as soon as it has been looked at."""
    from converter import detectors
    from parity.report.text import make_console
    from unlite.detection.finder import load_finder
    from unlite.detection.landmarks import load_landmarks

    check_extra("detect", "unlite detect")
    wanted = detectors.find(arguments.detector) if arguments.detector else None
    model = find(arguments.model)
    against, hands = (find(name) if name else None for name in (arguments.against, arguments.landmarks))
    console, pictures, is_same = make_console(), [], True
    with working("loading") as progress:
        finder = load_finder(model, wanted)
        other, landmarks = load_finder(against, wanted) if against else None, load_landmarks(hands) if hands else None
        progress("looking")
        for seen in look(
            arguments.pictures, Models(finder, other, landmarks), draw=arguments.draw, limit=arguments.frames
        ):
            is_same = is_same and (seen.difference is None or seen.difference.is_same)
            if arguments.json:
                pictures.append(seen.as_dict(finder))
            else:
                show(seen.as_dict(finder), console)
    document = {"model": finder.name, "detector": finder.detector.name, "pictures": pictures}
    return Result(lambda: document, ok=is_same)


@dataclass(frozen=True, slots=True)
class Models:
    """What looks at the pictures.

    Attributes:
        against: A second detector, to compare the first one with.
        landmarks: A hand landmark model, for palm detectors.
    """

    finder: "Finder"
    against: "Finder | None" = None
    landmarks: "Run | None" = None

    def check(self) -> None:
        """Check that they find the same.

        Raises:
            BadDetector: They do not.
        """
        from unlite.detection.landmarks import PALM_KEYPOINTS

        name, detector, against = self.finder.name, self.finder.detector, self.against
        if against and against.detector.keypoints != detector.keypoints:
            raise BadDetector(f"{name} finds {detector.name}, {against.name} {against.detector.name}")
        if self.landmarks and len(detector.keypoints) != PALM_KEYPOINTS:
            raise BadDetector(f"{name} finds {detector.name}; hand landmarks need a palm detector")


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one picture.

    Attributes:
        found: By the model.
        found_by_other: By the one that it is compared with.
        difference: Between the two.
        hands: Second stage, where it was asked for: row of `found` → hand.
        drawing: Where it was drawn.
    """

    frame: "Frame"
    found: "Detections"
    found_by_other: "Detections | None"
    difference: "Difference | None"
    hands: "dict[int, Hand]"
    drawing: Path | None

    def as_dict(self, finder: "Finder") -> dict[str, Any]:
        """For JSON, in pixels of the picture."""
        from unlite.detection.finder import as_rows

        height, width = self.frame.pixels.shape[:2]
        made: dict[str, Any] = {"picture": self.frame.name, "height": height, "width": width}
        made["detections"] = as_rows(self.found, finder.detector, (height, width))
        if self.hands:
            made["hands"] = [
                {"detection": row, **hand.as_dict((height, width))} for row, hand in sorted(self.hands.items())
            ]
        if self.found_by_other is not None and self.difference is not None:
            made["against"] = as_rows(self.found_by_other, finder.detector, (height, width))
            made["difference"] = self.difference.as_dict()
        if self.drawing:
            made["drawing"] = str(self.drawing)
        return made


def look(
    sources: Sequence[str], models: Models, *, draw: Path | None = None, limit: int | None = None
) -> Iterator[Look]:
    """Look at pictures (see `unlite.detection.images.frames`) one after the other, and draw into a file or a folder.

    Raises:
        UnliteError: Something cannot be read, run or written.
    """
    from unlite.detection.finder import difference
    from unlite.detection.images import check_sources, frames
    from unlite.detection.landmarks import hands_of

    if limit is not None and limit < 1:
        raise BadPicture(f"--frames is {limit}: nothing would be looked at")
    models.check()
    check_sources(sources)
    drawings = _Drawings(draw, sources) if draw else None
    for frame in (frame for source in sources for frame in frames(source, limit)):
        target = drawings.target(frame) if drawings else None
        found = models.finder(frame.pixels)
        other = models.against(frame.pixels) if models.against else None
        hands = hands_of(models.landmarks, frame.pixels, found) if models.landmarks else {}
        seen = Look(frame, found, other, difference(found, other) if other is not None else None, hands, target)
        if target:
            _write(target, seen, models)
        yield seen


@dataclass(slots=True)
class _Drawings:
    """Which picture is drawn where; never over a picture that is looked at."""

    draw: Path
    sources: Sequence[str]
    _taken: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.draw.suffix and self.draw.suffix.lower() not in FORMATS and not self.draw.is_dir():
            raise OutputNotWritten(f"{self.draw}: expected a folder, or one of {', '.join(FORMATS)}")
        if self._is_file:
            check_output(self.draw, self.draw.suffix)
            if len(self.sources) > 1:
                self._check_one()
        for source in self.sources:
            self._check_is_new(self.draw if self._is_file else self.draw / f"{Path(source).stem}.png")

    @property
    def _is_file(self) -> bool:
        return self.draw.suffix.lower() in FORMATS and not self.draw.is_dir()

    def target(self, frame: "Frame") -> Path:
        """Where to draw this one."""
        if self._is_file:
            if self._taken:
                self._check_one()
            target = self.draw
        else:
            stem = Path(frame.source).stem + (f"-{frame.number:05}" if frame.number else "")
            target, again = self.draw / f"{stem}.png", 2
            while target in self._taken:  # of the same name in another folder
                target, again = self.draw / f"{stem}-{again}.png", again + 1
        self._check_is_new(target)
        self._taken.add(target)
        return target

    def _check_one(self) -> None:
        raise OutputNotWritten(f"{self.draw} holds one picture", hint="for several give a folder: --draw FOLDER")

    def _check_is_new(self, target: Path) -> None:
        for source in map(Path, self.sources):
            if target.exists() and source.exists() and target.samefile(source):
                raise OutputNotWritten(f"--draw {self.draw} would write over {source}", hint="give another place")


def _write(target: Path, seen: Look, models: Models) -> None:
    from unlite.detection.drawing import annotated, draw_landmarks, side_by_side

    pixels, hands = seen.frame.pixels, list(seen.hands.values())
    if models.against is None or seen.found_by_other is None or seen.difference is None:
        image = annotated(pixels, seen.found)
        draw_landmarks(image, hands)
    else:
        names = models.finder.name, models.against.name
        image = side_by_side(pixels, (seen.found, seen.found_by_other), names, seen.difference, hands)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as whole:
            image.save(whole, format=FORMATS[target.suffix.lower()])
    except (OSError, ValueError) as error:  # Pillow's: larger than the format allows
        raise OutputNotWritten(f"{target} cannot be written: {error}") from None


def show(seen: dict[str, Any], console: "Console") -> None:
    """One picture, as `Look.as_dict` gives it."""
    from parity.report.text import rounded, table

    rows, size = seen["detections"], f"{seen['width']}×{seen['height']}"
    console.print(f"{seen['picture']}  {size}  {len(rows) or 'nothing'} found", style="bold")
    if rows:
        has_classes = any(row["class"] for row in rows)  # with one class alone all are 0
        columns = ("#class",) * has_classes + ("#score", "#left", "#top", "#width", "#height")
        shown = table(*columns, *(f"#{name}" for name in rows[0]["keypoints"]))
        for row in rows:
            points = (", ".join(rounded(value, ".0f") for value in point) for point in row["keypoints"].values())
            first = (str(row["class"]),) * has_classes + (f"{row['score']:.3f}",)
            shown.add_row(*first, *(rounded(value, ".1f") for value in row["box"].values()), *points)
        console.print(shown)
    for hand in seen.get("hands", ()):
        console.print(f"{hand['handedness']} hand, {hand['handedness_score']:.2f}, presence {hand['presence']:.2f}")
    if "difference" in seen:
        console.print(seen["difference"]["text"])
    if "drawing" in seen:
        console.print(f"drawn into {seen['drawing']}")


VERB = Verb("detect", "Find hands, faces or people in pictures; compare two models.", add_options, run)
