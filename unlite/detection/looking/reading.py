"""Several pictures looked at at once: reading one takes longer than some networks do."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NoReturn, TypeVar

from converter.errors import BadPicture
from unlite.detection.images import Frame, frames, has_frames, is_camera
from unlite.detection.looking.ahead import ahead

T = TypeVar("T")


def for_each(work: Callable[[Frame], T], sources: Sequence[str], threads: int, limit: int | None = None) -> Iterator[T]:
    """What work makes of each picture, in the order of the pictures.

    Args:
        work: Done on threads, but for a camera's pictures: no more of those are taken than are asked for, and each is
            looked at when the camera shows it.
        sources: See `unlite.detection.images.find_sources`.
        threads: How many pictures are worked on at once.
        limit: See `unlite.detection.images.frames`.

    Raises:
        BadPicture: One cannot be read; it comes after the results of the pictures before it.
    """
    for are_several, group in groupby(sources, has_frames):
        if not are_several:
            yield from ahead((partial(_read, work, source) for source in group), threads)
            continue
        for source in group:
            if is_camera(source):
                yield from map(work, frames(source, limit))
            else:
                yield from ahead(_calls(work, source, limit), threads)


def _read(work: Callable[[Frame], T], source: str) -> T:
    (frame,) = frames(source)
    return work(frame)


def _calls(work: Callable[[Frame], T], video: str, limit: int | None) -> Iterator[Callable[[], T]]:
    """Frames are read here one after the other, while threads work on those before."""
    try:
        for frame in frames(video, limit):
            yield partial(work, frame)
    except BadPicture as error:
        yield partial(_fail, error)


def _fail(error: BadPicture) -> NoReturn:
    raise error
