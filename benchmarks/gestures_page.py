"""The pictures of `docs/gestures.md`, all of hands that code has drawn: `python -m benchmarks.gestures_page FOLDER`.

FOLDER is where the page's commands have run; the cut-out of the report needs Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pages.page import DOCS
from converter.detectors.table import find
from tests.tools.browser import FLAGS
from unlite.detection.images import load_picture
from unlite.training.data.records import Example
from unlite.training.drawn.sets import Drawn, drawn_set
from unlite.training.lessons.augment import Augmentation, Augmenter, drawn
from unlite.training.lessons.targets import Objects

GESTURES = ("open", "point", "thumbs_up")
TILE, COLUMNS = 128, 6
QUALITY, COLOURS = 80, 64
PAGE = (1000, 1000)  # how much of the report is shown, in pixels


def sheet(tiles: Sequence[Image.Image]) -> Image.Image:
    """Pictures in rows, each in a square."""
    rows = -(-len(tiles) // COLUMNS)
    made = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for number, tile in enumerate(tiles):
        small = tile.copy()
        small.thumbnail((TILE, TILE))
        row, column = divmod(number, COLUMNS)
        made.paste(small, (column * TILE + (TILE - small.width) // 2, row * TILE + (TILE - small.height) // 2))
    return made


def objects(example: Example) -> Objects:
    """What is in a drawn picture."""
    boxes = [annotation.box_xywh for annotation in example.annotations]
    keypoints = [annotation.keypoints_xy for annotation in example.annotations]
    classes = [GESTURES.index(annotation.label) for annotation in example.annotations]
    return Objects(np.array(boxes, np.float32), np.array(classes, np.intp), np.array(keypoints, np.float32))


def variations() -> list[Image.Image]:
    """Of each gesture some, as the network sees them."""
    palm, made = find("palm"), []
    with tempfile.TemporaryDirectory() as folder:
        hands = Drawn(GESTURES, others=0)
        examples = drawn_set(Path(folder, "set"), COLUMNS, drawn=hands).examples
        augmenter = Augmenter(palm, Augmentation(), lambda _: load_picture(examples[-1].path))
        for number, example in enumerate(examples[: len(GESTURES) * COLUMNS]):
            seen = augmenter(load_picture(example.path), objects(example), (0, number))
            made.append(drawn(seen, palm, GESTURES))
    return made


def page(report: Path) -> Image.Image:
    """The upper part of a report."""
    program = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "page.png")
        size = f"--window-size={PAGE[0]},{PAGE[1]}"
        options = [
            *FLAGS,
            size,
            "--hide-scrollbars",
            "--virtual-time-budget=20000",
            f"--user-data-dir={folder}",
            f"--screenshot={shot}",
        ]
        subprocess.run([program, *options, report.resolve().as_uri()], check=True, capture_output=True, timeout=120)
        return Image.open(shot).convert("RGB")


def main(folder: Path) -> None:
    """Make them."""
    examples = [
        path for label in (*GESTURES, "none") for path in sorted(folder.glob(f"gestures/{label}/*/*"))[:COLUMNS]
    ]
    for name, tiles in (("folder", [Image.open(path) for path in examples]), ("seen", variations())):
        sheet(tiles).save(DOCS / f"gestures-{name}.jpg", quality=QUALITY)
    Image.open(folder / "found.png").convert("RGB").save(DOCS / "gestures-found.jpg", quality=QUALITY)
    page(folder / "gestures-run" / "report.html").quantize(COLOURS).save(DOCS / "gestures-report.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
