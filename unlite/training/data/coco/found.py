"""What a detector finds as a COCO file, from which another one can be trained."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from converter.errors import OutputNotWritten
from converter.files import beside, check_output
from unlite.detection.images import Frame, as_jpeg
from unlite.detection.pipeline import Detections
from unlite.training.data.coco.writing import CocoObject, CocoPicture, as_text, document


def objects_in(found: Detections, labels: Sequence[str]) -> tuple[CocoObject, ...]:
    """What was found, in its order; what has no place is left out.

    Args:
        found: As shares of the picture.
        labels: What each of them is called.
    """
    columns = (each.tolist() for each in (found.boxes_xywh, found.keypoints_xy, found.scores))
    return tuple(
        CocoObject(label, tuple(box), tuple(tuple(point) if _is_finite(point) else None for point in points), score)
        for label, box, points, score in zip(labels, *columns, strict=True)
        if _is_finite(box)
    )


def _is_finite(numbers: Sequence[float]) -> bool:
    return all(map(isfinite, numbers))


@dataclass(slots=True)
class FoundFile:
    """Gathers what is found; see `found_file`.

    Attributes:
        path: Where the file will be.
        frames: Where frames of videos and cameras are kept meanwhile.
        pictures: So far.
    """

    path: Path
    frames: Path
    pictures: list[CocoPicture] = field(default_factory=list)

    def add(self, frame: Frame, found: Detections, labels: Sequence[str]) -> None:
        """One picture.

        Args:
            frame: A file, or a frame of a video or camera, which is kept.
            found: What is in it.
            labels: What each of them is called.
        """
        height, width = frame.pixels.shape[:2]
        film = Path(frame.source).name
        # Frames of one film are too much alike to be on both sides of a split.
        about = {"source": film, "session": film} if frame.number else {}
        if frame.seconds is not None:
            about["time"] = f"{frame.seconds:.3f}"
        self.pictures.append(CocoPicture(self._name(frame), width, height, objects_in(found, labels), about))

    def _name(self, frame: Frame) -> str:
        """The picture's path, from the file's folder."""
        if not frame.number:
            return Path(os.path.relpath(Path(frame.source).resolve(), self.path.resolve().parent)).as_posix()
        name, again = f"{Path(frame.source).stem}-{frame.number:05}", 1
        self.frames.mkdir(exist_ok=True)
        while (target := self.frames / f"{name}{f'-{again}' if again > 1 else ''}.jpg").exists():  # of another folder
            again += 1
        target.write_bytes(as_jpeg(frame.pixels))
        return f"{self.path.stem}/{target.name}"


@contextmanager
def found_file(path: Path, labels: Sequence[str], keypoint_names: Sequence[str]) -> Iterator[FoundFile]:
    """Gather what is found, and write it in the end; after an error there is nothing.

    Frames of videos and cameras are kept as pictures, in a folder beside the file that is called as it is.

    Args:
        path: Where the file will be.
        labels: All that things can be called.
        keypoint_names: What their keypoints are called.

    Raises:
        OutputNotWritten: It cannot be written, or the folder for frames is there already.
    """
    frames = check_output(path, ".json").with_suffix("")
    if frames.exists():
        hint = "remove it, or give another place"
        raise OutputNotWritten(f"{frames} is there already, where frames of videos would be kept", hint)
    with beside(path) as whole:
        made = FoundFile(path, whole.with_name("frames"))
        yield made
        whole.write_text(as_text(document(made.pictures, labels, keypoint_names)), encoding="utf-8")
        if made.frames.exists():
            made.frames.replace(frames)
        whole.replace(path)
