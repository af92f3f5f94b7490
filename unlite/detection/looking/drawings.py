"""Where `unlite detect` draws: into one file, or into a folder for several pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import OutputNotWritten
from converter.files import check_output, whole_file

if TYPE_CHECKING:
    from PIL.Image import Image

    from unlite.detection.images import Frame

FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


@dataclass(slots=True)
class Drawings:
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
        raise OutputNotWritten(f"{self.draw} holds one picture", hint="for several give a folder")

    def _check_is_new(self, target: Path) -> None:
        for source in map(Path, self.sources):
            if target.exists() and source.exists() and target.samefile(source):
                raise OutputNotWritten(f"drawing into {self.draw} would write over {source}", hint="give another place")


def write_picture(image: "Image", target: Path) -> None:
    """Write a picture, whole or not at all, into a folder that need not be there.

    Raises:
        OutputNotWritten: It cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as whole:
            image.save(whole, format=FORMATS[target.suffix.lower()])
    except (OSError, ValueError) as error:  # Pillow's: larger than the format allows
        raise OutputNotWritten(f"{target} cannot be written: {error}") from None
