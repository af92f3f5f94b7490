"""What a frozen body gives for every picture and variation, computed once and kept in files mapped into memory."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from converter.errors import OutputNotWritten
from converter.files import whole_file
from parity.runners.runtimes import Array
from unlite.detection.looking.ahead import ahead

# Features are rounded to ten bits: a tenth of a percent, far below what the next variation of a picture changes.
STORED: Any = np.float16
LARGEST = float(np.finfo(np.float16).max)

T = TypeVar("T")
R = TypeVar("R")
V = TypeVar("V")
# Gives what one row holds: the arrays that the head takes, then what it shall give.
Row = Callable[[int, Any], tuple[Sequence[Array], Sequence[NDArray[Any]]]]


@dataclass(frozen=True, slots=True)
class Form:
    """What each row holds.

    Attributes:
        taken: Shapes of the arrays that the head takes.
        wanted: Shape and type of each of its targets.
    """

    taken: tuple[tuple[int, ...], ...]
    wanted: tuple[tuple[tuple[int, ...], str], ...]

    @property
    def bytes(self) -> int:
        """Of one row."""
        features = sum(int(np.prod(shape)) for shape in self.taken) * int(np.dtype(STORED).itemsize)
        return features + sum(int(np.prod(shape)) * int(np.dtype(dtype).itemsize) for shape, dtype in self.wanted)


@dataclass(frozen=True, slots=True)
class Cache:
    """Rows of features and targets.

    Attributes:
        taken: For each of the head's inputs [N, …], half precision.
        wanted: For each target [N, …].
    """

    taken: tuple[NDArray[Any], ...]
    wanted: tuple[NDArray[Any], ...]

    def __len__(self) -> int:
        return len(self.wanted[0])


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are kept.

    Attributes:
        folder: What lies there already was made by the same settings, see `check_same`.
        rows: How many there will be.
        form: What each holds.
    """

    folder: Path
    rows: int
    form: Form


def compute(
    place: Place, row: Row, make_run: Callable[[], Any], progress: Callable[[int, int], None] = lambda *_: None
) -> Cache:
    """Compute all rows, or those that an interrupted run has left out.

    Args:
        place: Where to keep them.
        row: Computes one.
        make_run: Makes the body's runner, one for each thread.
        progress: Called with rows done, and all.

    Raises:
        OutputNotWritten: There is no room for them; nothing is left behind.
    """
    folder, rows, form = place.folder, place.rows, place.form
    shapes = [(f"taken-{n}", shape, np.dtype(STORED)) for n, shape in enumerate(form.taken)]
    shapes += [(f"wanted-{n}", shape, np.dtype(dtype)) for n, (shape, dtype) in enumerate(form.wanted)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = [_mapped(folder / f"{name}.bin", (rows, *shape), dtype) for name, shape, dtype in shapes]
        done = _mapped(folder / "done.bin", (rows,), np.dtype(np.uint8))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        needed = f"{rows * form.bytes / 1e6:,.0f} MB for the features of {rows} pictures"
        raise OutputNotWritten(
            f"{folder} has no room: {error.strerror}", hint=f"{needed}; fewer variations (copies=…) need less"
        ) from None
    todo = np.flatnonzero(done == 0).tolist()
    for count, (number, values) in enumerate(in_threads(row, todo, make_run), start=rows - len(todo) + 1):
        for array, value in zip(arrays, (*values[0], *values[1]), strict=True):
            array[number] = np.clip(value, -LARGEST, LARGEST) if array.dtype == STORED else value
        done[number] = 1
        progress(count, rows)
    taken = tuple(arrays[: len(form.taken)])
    return Cache(taken, tuple(arrays[len(form.taken) :]))


def in_threads(work: Callable[[T, R], V], items: Sequence[T], make_run: Callable[[], R]) -> Iterator[tuple[T, V]]:
    """Work on items, one thread for each core with a runner of its own; results in the order of the items."""
    own = local()

    def one(item: T) -> V:
        if not hasattr(own, "run"):
            own.run = make_run()
        return work(item, own.run)

    return zip(items, ahead((partial(one, item) for item in items), os.cpu_count() or 1), strict=True)


def _mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A file as an array, zeros at first; its room is taken at once: a disk that fills later would end the process."""
    size = int(np.prod(shape)) * dtype.itemsize
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END) != size:
            file.truncate(0)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)
    return np.memmap(path, dtype, "r+", shape=shape)


# What training keeps beside the features, see `unlite.training.fitting.loop`, and what says how all that was made.
STATE, RESULTS, SETTINGS = "state.npz", "results.csv", "settings.json"
FURTHER = "further"  # the folder of what is trained after the classes, see `unlite.training.further`
# The model after the last pass.
LAST = "last.keras"


def clear(folder: Path) -> None:
    """Remove what only an interrupted run needs."""
    # A kill leaves behind what was being written, see `converter.files.whole_file`.
    halves = [path for name in (STATE, RESULTS, SETTINGS) for path in folder.glob(f".{Path(name).stem}-*")]
    if (folder / FURTHER).is_dir():
        clear(folder / FURTHER)
    for path in (folder / "train", folder / "val", *halves):
        shutil.rmtree(path, ignore_errors=True)
    (folder / STATE).unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Remove what a run has kept, and its folder if nothing else is in it."""
    clear(folder)
    shutil.rmtree(folder / FURTHER, ignore_errors=True)
    for name in (RESULTS, SETTINGS, LAST):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def check_folder(folder: Path) -> None:
    """Check that a run can be kept in a folder: it is not there yet, is empty, or has a run of `unlite`.

    Raises:
        OutputNotWritten: It is none, or has something else in it, which nobody wants to lose.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputNotWritten(f"{folder} is no folder that a run could be kept in", hint="name another one")
    if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
        return
    try:
        if "unlite" in json.loads((folder / SETTINGS).read_text("utf-8")):
            return
    except (OSError, ValueError, TypeError):
        pass
    raise OutputNotWritten(f"{folder} has something else in it than a run", hint="name a folder that is not there yet")


def check_same(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the run in a folder was made with these settings; otherwise it is removed, and another one begins.

    Raises:
        OutputNotWritten: It cannot be written, or see `check_folder`.
    """
    check_folder(folder)
    path, text = folder / SETTINGS, json.dumps(settings, indent=2, sort_keys=True)
    try:
        if path.read_text("utf-8") == text:
            return True
    except OSError:
        pass
    try:
        forget(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritten(f"{folder} cannot be written: {error.strerror}") from None
    with whole_file(path) as whole:
        whole.write_text(text, "utf-8")
    return False
