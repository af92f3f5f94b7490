"""Where a collected data set lies, and how its files change: each whole, none twice, none lost."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

from converter.errors import OutputNotWritten
from unlite.training.data.pictures import Tree

ROWS = "annotations.json"
# What only a running `unlite collect` needs; hidden, so that nobody takes it for a label.
OWN = ".collect"


class Files:
    """The files of one data set; names are paths relative to its folder, with slashes.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch, self._struck = root / OWN / "half", root / OWN / "struck"

    @property
    def rows(self) -> Path:
        """The COCO file."""
        return self.root / ROWS

    def pictures(self) -> list[str]:
        """All pictures that lie in a folder, hence have a label."""
        return [name for name in map(self.name, Tree(self.root).pictures) if "/" in name]

    def name(self, path: Path) -> str:
        """What a path in the folder is called."""
        return path.relative_to(self.root).as_posix()

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file, in one step.

        Raises:
            OutputNotWritten: It cannot be written; what was there before is untouched.
        """
        target = self.root / name
        half = self._scratch / target.name
        with _told(target):
            half.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(content)
            half.replace(target)

    def copy(self, name: str, to: str) -> None:
        """Copy a picture, in one step."""
        self.write(to, self.read(name))

    def read(self, name: str) -> bytes:
        """What is in a file.

        Raises:
            OutputNotWritten: It is gone.
        """
        with _told(self.root / name):
            return (self.root / name).read_bytes()

    def make_folder(self, name: str) -> None:
        """Make a folder, if it is not there.

        Raises:
            OutputNotWritten: It cannot be made.
        """
        with _told(self.root / name):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove a picture, if it is there."""
        with _told(self.root / name):
            (self.root / name).unlink(missing_ok=True)

    def strike(self, name: str) -> None:
        """Keep a copy of what will be removed, until it is forgotten."""
        self.copy(name, self.name(self._struck / name))

    def bring_back(self, name: str, to: str) -> None:
        """Copy back what was struck out."""
        self.copy(self.name(self._struck / name), to)

    def struck(self) -> list[str]:
        """What was struck out and has not been forgotten."""
        found = self._struck.rglob("*") if self._struck.is_dir() else iter(())
        return [path.relative_to(self._struck).as_posix() for path in found if path.is_file()]

    def free(self, name: str) -> str:
        """A name like this one that no file has."""
        path, number = Path(name), 1
        while (self.root / name).exists():
            number += 1
            name = path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix()
        return name

    def clear(self) -> None:
        """Forget what was struck out, and what a kill left half written."""
        shutil.rmtree(self._struck, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "make room: it goes on as soon as there is some" if error.errno == ENOSPC else ""
        raise OutputNotWritten(f"{path}: {error.strerror or error}", hint) from None
