"""Where a data set's pictures are."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from unlite.detection.images import files_below
from unlite.training.data.records import Split
from unlite.training.data.said import Broken

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
SIDES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# EXIF orientations in which a picture lies on its side.
ORIENTATION, SIDEWAYS = 0x0112, {5, 6, 7, 8}


class Tree:
    """All files below a folder, in an order that is the same everywhere; hidden ones left out.

    Attributes:
        root: The folder.
        files: All files.
        pictures: Those that are pictures, by their names.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = tuple(files_below(root))
        self.pictures = tuple(file for file in self.files if is_picture(file))
        self._named: dict[str, list[Path]] = defaultdict(list)
        for file in self.pictures:
            self._named[file.name].append(file)
        self._stems: dict[tuple[Path, str], Path] = {(file.parent, file.stem): file for file in self.pictures}

    def side(self, path: Path) -> Split | None:
        """Which side the folders say that a file is on."""
        folders = path.relative_to(self.root).parts[:-1] if path.is_relative_to(self.root) else ()
        return next((SIDES[part.lower()] for part in folders if part.lower() in SIDES), None)

    def beside(self, path: Path) -> Path | None:
        """The picture of the same name as another file, in the same folder."""
        return self._stems.get((path.parent, path.stem))

    def find(self, name: str, near: Path, side: Split | None = None) -> Path:
        """The picture that a file speaks of.

        Args:
            name: Its path, the last part of its path, or its name.
            near: The folder of the file that says so.
            side: Where several fit, the one on this side is meant.

        Raises:
            Broken: There is none, or nothing says which one.
        """
        wanted = tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."})
        if wanted and (near / name).is_file():
            return near / name
        fitting = [path for path in self._named[wanted[-1]] if path.parts[-len(wanted) :] == wanted] if wanted else []
        if len(fitting) > 1:
            fitting = [path for path in fitting if self.side(path) == side] or fitting
        if not fitting:
            raise Broken(f"no such picture: {name!r}")
        if len(fitting) > 1:
            raise Broken(f"several pictures are called {name!r}: {', '.join(map(str, fitting[:3]))}")
        return fitting[0]


def is_picture(file: Path) -> bool:
    """Whether its name says so."""
    return file.suffix.lower() in PICTURES


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture the right way up, from the beginning of its file.

    Raises:
        Broken: It cannot be opened.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(ORIENTATION) in SIDEWAYS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Broken(f"nothing says how large {path.name} is, and it cannot be opened") from None
    return (height, width) if turned else (width, height)
