"""`unlite detect`: one model, or two beside each other, on any number of pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import BadDetector, BadPicture, OutputNotWritten
from converter.saving import whole_file
from parity.detection.decoding import Detections
from parity.detection.drawing import annotated, draw_landmarks, side_by_side
from parity.detection.finder import Difference, Finder, as_rows, difference
from parity.detection.images import Frame, frames
from parity.detection.landmarks import Hand, hands_of
from parity.detection.sampling import Pixels
from parity.runners import Run

DRAWN = {".jpeg", ".jpg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class Second:
    """What looks at the pictures besides the model.

    Attributes:
        against: A model to compare it with.
        landmarks: A hand landmark model, for palm detectors.
    """

    against: Finder | None = None
    landmarks: Run | None = None


NOTHING = Second()


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one picture.

    Attributes:
        found: By the model.
        there: By the one that it is compared with.
        difference: Between the two.
        hands: Second stage, where it was asked for.
        drawing: Where it was drawn.
    """

    frame: Frame
    found: Detections
    there: Detections | None
    difference: Difference | None
    hands: tuple[Hand, ...]
    drawing: Path | None

    def as_dict(self, finder: Finder) -> dict[str, Any]:
        """For JSON, in pixels of the picture."""
        height, width = self.frame.pixels.shape[:2]
        made: dict[str, Any] = {"picture": self.frame.name, "height": height, "width": width}
        made["detections"] = as_rows(self.found, finder.detector, (height, width))
        if self.hands:
            made["hands"] = [hand.as_dict() for hand in self.hands]
        if self.there is not None and self.difference is not None:
            made["against"] = as_rows(self.there, finder.detector, (height, width))
            made["difference"] = self.difference.as_dict()
        if self.drawing:
            made["drawing"] = str(self.drawing)
        return made


def look(
    sources: Sequence[str],
    finder: Finder,
    second: Second = NOTHING,
    *,
    draw: Path | None = None,
    limit: int | None = None,
) -> Iterator[Look]:
    """Look at pictures, one after the other.

    Args:
        sources: See `parity.detection.images.frames`.
        finder: The model.
        second: What else shall look.
        draw: A picture file, for one picture; else a folder.
        limit: See `frames`.

    Raises:
        UnliteError: Something cannot be read, run or written.
    """
    if limit is not None and limit < 1:
        raise BadPicture(f"--frames is {limit}: nothing would be looked at")
    if draw and len(sources) > 1:
        _check_holds_several(draw)
    against, landmarks = second.against, second.landmarks
    if against and against.detector.keypoints != finder.detector.keypoints:
        raise BadDetector(f"{finder.name} finds {finder.detector.name}, {against.name} {against.detector.name}")
    if landmarks and not finder.detector.name.startswith("palm"):
        raise BadDetector(f"{finder.name} finds {finder.detector.name}; hand landmarks need a palm detector")
    taken: set[Path] = set()
    for number, frame in enumerate(frame for source in sources for frame in frames(source, limit)):
        target = _target(draw, frame, taken, is_first=number == 0) if draw else None
        found, there = finder(frame.pixels), against(frame.pixels) if against else None
        hands = hands_of(landmarks, frame.pixels, found) if landmarks else ()
        apart = difference(found, there) if there is not None else None
        if target:
            _write(target, frame.pixels, found, hands, (finder, against, there, apart))
        yield Look(frame, found, there, apart, hands, target)


def _check_holds_several(draw: Path) -> None:
    if draw.suffix.lower() in DRAWN:
        raise OutputNotWritten(f"{draw} holds one picture", hint="for several give a folder: --draw FOLDER")


def _target(draw: Path, frame: Frame, taken: set[Path], *, is_first: bool) -> Path:
    if draw.suffix.lower() in DRAWN:
        if not is_first:  # of a video
            _check_holds_several(draw)
        return draw
    if draw.suffix and not draw.is_dir():
        raise OutputNotWritten(f"{draw}: expected a folder, or one of {', '.join(sorted(DRAWN))}")
    try:
        draw.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritten(f"cannot make the folder {draw}: {error}") from None
    stem = Path(frame.name).stem.replace(" ", "_")
    target, number = draw / f"{stem}.png", 2
    while target in taken:  # pictures of the same name in different folders
        target, number = draw / f"{stem}-{number}.png", number + 1
    taken.add(target)
    return target


def _write(
    target: Path,
    pixels: Pixels,
    found: Detections,
    hands: Sequence[Hand],
    other: tuple[Finder, Finder | None, Detections | None, Difference | None],
) -> None:
    finder, against, there, apart = other
    if against is None or there is None or apart is None:
        image = annotated(pixels, found)
        draw_landmarks(image, hands)
    else:
        image = side_by_side(pixels, (found, there), (finder.name, against.name), apart)
    with whole_file(target) as whole:
        image.save(whole, format="JPEG" if target.suffix.lower() in (".jpg", ".jpeg") else target.suffix[1:].upper())
