"""Pictures worked on at once: in order, errors in their place, and no more of a camera than was asked for."""

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from converter.errors import BadPicture
from unlite.detection.images import Frame
from unlite.detection.looking.ahead import WAITING
from unlite.detection.looking.reading import for_each

pytestmark = pytest.mark.one_setting

THREADS = 2


def level(frame: Frame) -> int:
    """What the pictures of these tests are told apart by."""
    return int(frame.pixels[0, 0, 0])


def saved(folder: Path, *levels: int) -> list[str]:
    for each in levels:
        Image.new("RGB", (8, 6), (each,) * 3).save(folder / f"{each}.png")
    return [str(folder / f"{each}.png") for each in levels]


class Capture:
    """OpenCV's reader of ten frames, one after the other, which says what happens to it."""

    def __init__(self, events: list[str], announced: int = 10) -> None:
        self.events, self.announced, self.read_count = events, announced, 0

    def read(self) -> tuple[bool, Any]:
        self.read_count += 1
        self.events.append(f"read {self.read_count}")
        return self.read_count <= 10, np.full((6, 8, 3), self.read_count, np.uint8)

    def get(self, _: int) -> int:
        return self.announced

    def release(self) -> None:
        self.events.append("released")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to a video or a camera."""
    made: list[str] = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture(made))
    return made


def test_pictures_and_videos_come_in_their_order(tmp_path: Path, events: list[str]) -> None:
    sources = saved(tmp_path, *range(100, 120))
    (tmp_path / "film.mp4").touch()
    sources.insert(7, str(tmp_path / "film.mp4"))
    expected = [*range(100, 107), *range(1, 11), *range(107, 120)]
    assert list(for_each(level, sources, THREADS)) == expected
    assert events[-1] == "released"


def test_a_broken_picture_is_told_after_those_before_it(tmp_path: Path) -> None:
    sources = saved(tmp_path, 10, 20, 30, 40)
    Path(sources[2]).write_bytes(b"no picture")
    before, seen = threading.active_count(), for_each(level, sources, THREADS)
    assert [next(seen), next(seen)] == [10, 20]
    with pytest.raises(BadPicture, match=r"30\.png is not a picture"):
        next(seen)
    assert threading.active_count() == before


def test_a_damaged_video_is_told_after_its_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture([], announced=20))
    (tmp_path / "film.mp4").touch()
    seen = for_each(level, [str(tmp_path / "film.mp4")], THREADS)
    assert [next(seen) for _ in range(10)] == list(range(1, 11))
    with pytest.raises(BadPicture, match="gives 10 of 20 frames"):
        next(seen)


def test_no_more_of_a_video_is_read_than_asked_for(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "film.mp4").touch()
    assert list(for_each(level, [str(tmp_path / "film.mp4")], THREADS, limit=3)) == [1, 2, 3]
    assert events == ["read 1", "read 2", "read 3", "released"]


def test_a_video_that_nobody_looks_at_any_more_is_closed(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "film.mp4").touch()
    before, seen = threading.active_count(), for_each(level, [str(tmp_path / "film.mp4")], THREADS)
    assert next(seen) == 1
    del seen
    assert events[-1] == "released"
    assert len(events) <= WAITING * THREADS + 2
    assert threading.active_count() == before


def test_a_camera_is_looked_at_when_it_shows_something(events: list[str]) -> None:
    def work(frame: Frame) -> int:
        events.append(f"seen {level(frame)}")
        return level(frame)

    assert list(for_each(work, ["0"], THREADS, limit=3)) == [1, 2, 3]
    assert events == ["read 1", "seen 1", "read 2", "seen 2", "read 3", "seen 3", "released"]
    events.clear()
    assert list(for_each(work, ["0"], THREADS)) == [1]  # one, if nothing else is said
    assert events == ["read 1", "seen 1", "released"]
