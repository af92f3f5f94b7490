"""Pictures, folders, films and cameras into a data set, without a page."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from converter.errors import BadPicture
from unlite.collecting.collector import Collector, Shot, Takes, Verdict
from unlite.collecting.seeing import Eye, Sight
from unlite.detection.images import Frame, as_jpeg, frames, has_frames, is_camera
from unlite.detection.looking.ahead import ahead
from unlite.detection.looking.reading import for_each
from unlite.training.data.pictures import is_picture

THREADS = 2
FOREVER = sys.maxsize
WORDS: dict[Verdict, str] = {"copy": "nearly the same", "blurred": "blurred", "nothing": "with nothing found"}


class _Seen(NamedTuple):
    frame: Frame
    sight: Sight


@dataclass(slots=True)
class Fed:
    """What became of frames.

    Attributes:
        verdicts: How many of each.
        problems: What could not be read.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        dropped = [f"{self.verdicts[each]} {WORDS[each]}" for each in WORDS if self.verdicts[each]]
        return ", ".join([f"{self.verdicts['kept']} kept", *dropped])


def feed(
    collector: Collector, sources: Sequence[str], label: str, limit: int | None, progress: Callable[[Fed], None]
) -> Fed:
    """Keep what sources show of one label.

    Args:
        collector: Keeps it.
        sources: See `unlite.detection.images.find_sources`.
        label: What all of it shows.
        limit: Most frames of each film and camera; None: all of a film, and of a camera until somebody interrupts.
        progress: Called after each frame with what has become of all.

    Returns:
        The same in the end, also when somebody has interrupted a camera.

    Raises:
        BadPicture: Nothing at all can be read.
        OutputNotWritten: There is no room.
    """
    fed, takes, broken = Fed(), Takes(), None
    try:
        for seen in _looked(collector.eye, sources, limit):
            if isinstance(seen, BadPicture):
                broken = seen
                fed.problems.append(str(seen).partition("\n")[0])
            else:
                fed.verdicts[collector.keep(_shot(seen, label, takes), seen.sight).verdict] += 1
            progress(fed)
    except KeyboardInterrupt:
        if not any(map(is_camera, sources)):
            raise
    if broken and not fed.verdicts:
        raise broken
    return fed


def _looked(eye: Eye, sources: Sequence[str], limit: int | None) -> "Iterator[_Seen | BadPicture]":
    """What is seen in all frames, several at once; and in its place what cannot be read."""

    def look(frame: Frame) -> _Seen:
        return _Seen(frame, eye.look(frame.pixels))

    def picture(source: str) -> _Seen | BadPicture:
        try:
            return next(map(look, frames(source)))
        except BadPicture as error:
            return error

    for are_films, group in groupby(sources, has_frames):
        if not are_films:
            yield from ahead((partial(picture, source) for source in group), THREADS)
            continue
        for film in group:
            try:
                yield from for_each(look, [film], THREADS, limit or (FOREVER if is_camera(film) else None))
            except BadPicture as error:
                yield error


def _shot(seen: "_Seen", label: str, takes: Takes) -> Shot:
    """A picture's own file; a frame, which has none, as JPEG."""
    frame, path = seen.frame, Path(seen.frame.source)
    if not frame.number and is_picture(path):
        return Shot(path.read_bytes(), label, "", path.suffix.lower(), path.name)
    now = frame.seconds if frame.seconds is not None else time.monotonic()
    take = takes.of(f"{frame.source}: {label}", now) if frame.number else ""
    return Shot(as_jpeg(frame.pixels), label, take, source=path.name, seconds=frame.seconds)
