"""Features in files: complete, resumed, and a folder in which nothing of anybody's is lost."""

import errno
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import OutputNotWritten
from unlite.training.lessons.features import (
    LAST,
    SETTINGS,
    STATE,
    Form,
    Place,
    check_folder,
    check_same,
    clear,
    compute,
    forget,
    in_threads,
)

pytestmark = pytest.mark.one_setting

FORM = Form(((2, 3), (4,)), (((5, 1), "int16"),))
SAME = {"unlite": "1", "seed": 0}


def row(number: int, _: Any) -> tuple[list[Any], list[Any]]:
    taken = [np.full((2, 3), number, np.float32), np.full(4, number / 7, np.float32)]
    return taken, [np.full((5, 1), number, np.int16)]


def test_all_rows_are_computed_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def dying(number: int, run: Any) -> Any:
        asked.append(number)
        if number == 6:
            raise KeyboardInterrupt
        return row(number, run)

    place = Place(tmp_path / "train", 40, FORM)
    with pytest.raises(KeyboardInterrupt):
        compute(place, dying, lambda: None)
    first, counted = set(asked) - {6}, []
    asked.clear()

    def counting(number: int, run: Any) -> Any:
        asked.append(number)
        return row(number, run)

    cache = compute(place, counting, lambda: None, lambda done, all_: counted.append((done, all_)))
    assert set(asked) | first == set(range(40))
    assert set(asked).isdisjoint(range(6))  # those that were finished and kept
    assert len(asked) == len(set(asked))
    assert counted[-1] == (40, 40)
    assert len(cache) == 40
    np.testing.assert_array_equal(cache.wanted[0][:, 0, 0], np.arange(40))
    np.testing.assert_allclose(cache.taken[1][:, 0], np.arange(40) / 7, rtol=1e-3)
    assert cache.taken[0].dtype == np.float16


def test_what_half_precision_cannot_hold(tmp_path: Path) -> None:
    cache = compute(
        Place(tmp_path / "t", 1, FORM),
        lambda *_: ([row(0, 0)[0][0] - 1e9, row(0, 0)[0][1] + 1e9], row(0, 0)[1]),
        lambda: None,
    )
    assert np.isfinite(cache.taken[0]).all()
    assert np.isfinite(cache.taken[1]).all()


def test_results_come_in_the_order_of_the_items() -> None:
    def slow(item: int, run: list[int]) -> int:
        time.sleep(0.002 * (item % 3))
        run.append(item)
        return item * 2

    runs: list[list[int]] = []

    def make() -> list[int]:
        runs.append([])
        return runs[-1]

    assert list(in_threads(slow, range(30), make)) == [(item, item * 2) for item in range(30)]
    assert sorted(item for items in runs for item in items) == list(range(30))
    assert len(runs) <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="takes no room in advance")
@pytest.mark.parametrize("place", [1, 3, 4])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    calls: list[int] = []

    def full(*_: Any) -> None:
        calls.append(0)
        if len(calls) == place:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputNotWritten, match=r"has no room: No space left.*\n.*0 MB for the features of 9 pictures"):
        compute(Place(tmp_path / "train", 9, FORM), row, lambda: None)
    assert not list(tmp_path.iterdir())


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not check_same(folder, SAME)
    for name in (STATE, "results.csv", LAST):
        (folder / name).touch()
    (folder / "train").mkdir()
    (folder / ".state-half").mkdir()
    assert check_same(folder, SAME)
    assert (folder / STATE).exists()
    (folder / "notes.txt").write_text("mine")
    assert not check_same(folder, SAME | {"seed": 1})
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", SETTINGS]


def test_what_is_left_in_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    check_same(folder, SAME)
    for name in ("train", "val", ".state-half"):
        (folder / name).mkdir()
    for name in (STATE, "results.csv", "report.html"):
        (folder / name).touch()
    clear(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "results.csv", SETTINGS]
    (folder / "report.html").unlink()
    forget(folder)
    assert not folder.exists()


@pytest.mark.parametrize("content", [None, "{}", "[]", "no JSON", '{"editor.fontSize": 14}', '"unlite"x'])
def test_folders_of_something_else(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "picture.jpg").write_text("dear to me")
    if content:
        (tmp_path / SETTINGS).write_text(content)
    for check in (check_folder, lambda folder: check_same(folder, SAME)):
        with pytest.raises(OutputNotWritten, match="has something else in it than a run"):
            check(tmp_path)
    assert (tmp_path / "train" / "picture.jpg").read_text() == "dear to me"


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritten, match="is no folder"):
        check_same(tmp_path / "file", SAME)
    with pytest.raises(OutputNotWritten, match="cannot be written"):
        check_same(tmp_path / "file" / "run", SAME)
