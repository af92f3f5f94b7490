"""What `unlite detect` does with its pictures: one model, or two beside each other, perhaps with a second stage."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import BadDetector, BadInput, BadPicture
from unlite.detection.looking.drawings import Drawings, write_picture

if TYPE_CHECKING:
    from parity.runners.runtimes import Run
    from unlite.detection.drawing import Side
    from unlite.detection.finder import Difference, Finder
    from unlite.detection.images import Frame
    from unlite.detection.landmarks import Hand
    from unlite.detection.pipeline import Detections, Pixels
    from unlite.detection.second_stage import SecondStage

MOST = 4  # pictures at once: large photographs take much memory


@dataclass(frozen=True, slots=True)
class Models:
    """What looks at the pictures.

    Attributes:
        against: A second detector, to compare the first one with.
        landmarks: A hand landmark model, for palm detectors.
        classifier: What names everything that was found.
        threads: How many pictures they can look at at once, see `most_threads`.
    """

    finder: "Finder"
    against: "Finder | None" = None
    landmarks: "Run | None" = None
    classifier: "SecondStage | None" = None
    threads: int = 1

    @property
    def labels(self) -> tuple[str, ...]:
        """All that something found can be called; a detector without labels knows one kind."""
        from unlite.detection.second_stage import NONE

        if self.classifier:
            return tuple(name for name in self.classifier.labels.names if name != NONE)
        return tuple(self.finder.labels.names) if self.finder.labels else (self.finder.detector.name,)

    def check(self) -> None:
        """Check that they find the same.

        Raises:
            BadDetector: They do not.
            BadInput: A detector alone is compared with two stages.
        """
        from unlite.detection.landmarks import PALM_KEYPOINTS

        name, detector, against = self.finder.name, self.finder.detector, self.against
        if against and against.detector.keypoints != detector.keypoints:
            raise BadDetector(f"{name} finds {detector.name}, {against.name} {against.detector.name}")
        if self.landmarks and len(detector.keypoints) != PALM_KEYPOINTS:
            raise BadDetector(f"{name} finds {detector.name}; hand landmarks need a palm detector")
        if self.classifier and against:
            raise BadInput(
                "two detectors are compared by what each finds, and a second stage drops some of it",
                hint="give one of them",
            )

    def difference(self, ours: "Detections", theirs: "Detections") -> "Difference":
        """How what the two detectors have found differs.

        Where only one of them has labels, the numbers of their classes say different things, and are not compared.
        """
        from unlite.detection.finder import difference

        if self.against and (self.finder.labels is None) != (self.against.labels is None):
            ours, theirs = (replace(found, classes=found.classes * 0) for found in (ours, theirs))
        return difference(ours, theirs)

    def find(self, pixels: "Pixels") -> "Side":
        """What there is in a picture, RGB [H, W, 3]."""
        from unlite.detection.drawing import Side

        found = self.finder(pixels)
        names = self.finder.names(found)
        if self.classifier:
            found, names = self.classifier(pixels, found)
        return Side(self.finder.name, found, names)

    def look(self, frame: "Frame") -> "Look":
        """All that there is to say of a picture."""
        from unlite.detection.drawing import Side
        from unlite.detection.landmarks import hands_of

        ours, theirs, apart = self.find(frame.pixels), None, None
        if self.against:
            found = self.against(frame.pixels)
            theirs = Side(self.against.name, found, self.against.names(found))
            apart = self.difference(ours.found, found)
        hands = hands_of(self.landmarks, frame.pixels, ours.found) if self.landmarks else {}
        return Look(frame, ours, theirs, apart, hands)


def most_threads(files: Iterable[Path]) -> int:
    """How many pictures models of these files can look at at once.

    LiteRT runs on one core. A Keras model takes all of them, and gets the pictures in their order: the first few it
    sees before it is compiled.
    """
    return 1 if any(file.suffix == ".keras" for file in files) else min(os.cpu_count() or 1, MOST)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one picture.

    Attributes:
        ours: By the model.
        theirs: By the one that it is compared with.
        difference: Between the two.
        hands: Second stage, where it was asked for: row of `ours` → hand.
        drawing: Where it was drawn; None: nowhere.
    """

    frame: "Frame"
    ours: "Side"
    theirs: "Side | None"
    difference: "Difference | None"
    hands: "dict[int, Hand]"
    drawing: Path | None = None

    def as_dict(self, finder: "Finder") -> dict[str, Any]:
        """For JSON, in pixels of the picture."""
        from unlite.detection.finder import as_rows

        height, width = self.frame.pixels.shape[:2]
        made: dict[str, Any] = {"picture": self.frame.name, "height": height, "width": width}
        made["detections"] = as_rows(self.ours.found, finder.detector, (height, width), self.ours.names)
        if self.hands:
            made["hands"] = [
                {"detection": row, **hand.as_dict((height, width))} for row, hand in sorted(self.hands.items())
            ]
        if self.theirs is not None and self.difference is not None:
            made["against"] = as_rows(self.theirs.found, finder.detector, (height, width), self.theirs.names)
            made["difference"] = self.difference.as_dict()
        if self.drawing:
            made["drawing"] = str(self.drawing)
        return made

    def drawn(self, target: Path) -> "Look":
        """The same, drawn into a file.

        Raises:
            OutputNotWritten: It cannot be written.
        """
        from unlite.detection.drawing import annotated, draw_landmarks, side_by_side

        pixels, hands = self.frame.pixels, list(self.hands.values())
        if self.theirs is None or self.difference is None:
            image = annotated(pixels, self.ours)
            draw_landmarks(image, hands)
        else:
            image = side_by_side(pixels, (self.ours, self.theirs), self.difference, hands)
        write_picture(image, target)
        return replace(self, drawing=target)


def look(
    sources: Sequence[str], models: Models, *, draw: Path | None = None, limit: int | None = None
) -> Iterator[Look]:
    """Look at pictures, several at once but told one after the other, and draw into a file or a folder.

    Args:
        sources: See `unlite.detection.images.find_sources`.
        models: What looks at them.
        draw: Where to draw.
        limit: See `unlite.detection.images.frames`.

    Raises:
        UnliteError: Something cannot be read, run or written.
    """
    from unlite.detection.looking.reading import for_each

    if limit is not None and limit < 1:
        raise BadPicture(f"{limit} frames: nothing would be looked at", hint="at least 1")
    models.check()
    drawings = Drawings(draw, sources) if draw else None
    for seen in for_each(models.look, sources, models.threads, limit):
        yield seen.drawn(drawings.target(seen.frame)) if drawings else seen
