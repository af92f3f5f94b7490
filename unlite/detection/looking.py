"""`unlite detect`: one model, or two beside each other, on any number of pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.errors import BadDetector, BadPicture, OutputNotWritten
from converter.files import check_output, whole_file
from parity.runners.types import Run
from unlite.detection.decoding import Detections
from unlite.detection.drawing import annotated, draw_landmarks, side_by_side
from unlite.detection.finder import Difference, Finder, as_rows, difference
from unlite.detection.images import Frame, check_sources, frames
from unlite.detection.landmarks import PALM_KEYPOINTS, Hand, hands_of

FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Companions:
    """What looks at the pictures besides the model.

    Attributes:
        against: A model to compare it with.
        landmarks: A hand landmark model, for palm detectors.
    """

    against: Finder | None = None
    landmarks: Run | None = None


ALONE = Companions()


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

    frame: Frame
    found: Detections
    found_by_other: Detections | None
    difference: Difference | None
    hands: dict[int, Hand]
    drawing: Path | None

    def as_dict(self, finder: Finder) -> dict[str, Any]:
        """For JSON, in pixels of the picture."""
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
    sources: Sequence[str],
    finder: Finder,
    companions: Companions = ALONE,
    *,
    draw: Path | None = None,
    limit: int | None = None,
) -> Iterator[Look]:
    """Look at pictures, one after the other.

    Args:
        sources: See `unlite.detection.images.frames`.
        finder: The model.
        companions: What else shall look.
        draw: A picture file, for one picture; else a folder.
        limit: See `frames`.

    Raises:
        UnliteError: Something cannot be read, run or written.
    """
    against, landmarks = companions.against, companions.landmarks
    _check(finder, companions, limit)
    check_sources(sources)
    drawings = _Drawings(draw, sources) if draw else None
    for frame in (frame for source in sources for frame in frames(source, limit)):
        target = drawings.target(frame) if drawings else None
        found = finder(frame.pixels)
        other = against(frame.pixels) if against else None
        hands = hands_of(landmarks, frame.pixels, found) if landmarks else {}
        seen = Look(frame, found, other, difference(found, other) if other is not None else None, hands, target)
        if target:
            _write(target, seen, (finder.name, against.name if against else ""))
        yield seen


def _check(finder: Finder, companions: Companions, limit: int | None) -> None:
    against = companions.against
    if limit is not None and limit < 1:
        raise BadPicture(f"--frames is {limit}: nothing would be looked at")
    if against and against.detector.keypoints != finder.detector.keypoints:
        raise BadDetector(f"{finder.name} finds {finder.detector.name}, {against.name} {against.detector.name}")
    if companions.landmarks and len(finder.detector.keypoints) != PALM_KEYPOINTS:
        raise BadDetector(f"{finder.name} finds {finder.detector.name}; hand landmarks need a palm detector")


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

    def target(self, frame: Frame) -> Path:
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


def _write(target: Path, seen: Look, names: tuple[str, str]) -> None:
    pixels, hands = seen.frame.pixels, list(seen.hands.values())
    if seen.found_by_other is None or seen.difference is None:
        image = annotated(pixels, seen.found)
        draw_landmarks(image, hands)
    else:
        image = side_by_side(pixels, (seen.found, seen.found_by_other), names, seen.difference, hands)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as whole:
            image.save(whole, format=FORMATS[target.suffix.lower()])
    except (OSError, ValueError) as error:  # Pillow's: larger than the format allows
        raise OutputNotWritten(f"{target} cannot be written: {error}") from None
