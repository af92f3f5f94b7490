"""Known models: whole, unchanged and where they belong, or a clear error and nothing left behind. No network."""

import hashlib
import multiprocessing
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converter import zoo
from converter.errors import DownloadFailed, ModelNotFound
from converter.zoo import models

pytestmark = pytest.mark.one_setting

PACKAGE = models.Package("toys", "1.2", "any", "3.12", 1, "Apache-2.0", "made by this test")
CONTENT = {"toy_big": bytes(range(256)) * 4000, "toy_small": b"\x1c\0\0\0TFL3" * 99}
MODELS = {
    name: models.Known(name, PACKAGE, f"toys/data/{name}.tflite", hashlib.sha256(content).hexdigest())
    for name, content in CONTENT.items()
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, two known models, and a pip that must not be called."""

    def no_pip(*_: Any, **__: Any) -> None:
        pytest.fail("pip must not be called")

    monkeypatch.setattr(models, "known", lambda: MODELS)
    monkeypatch.setattr(subprocess, "run", no_pip)
    monkeypatch.setenv("UNLITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_wheel(path: Path, **content: bytes) -> Path:
    """A wheel with these models in place of the right ones."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toys/__init__.py", "")
        for name, data in (CONTENT | content).items():
            archive.writestr(f"toys/data/{name}.tflite", data)
    return path


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that is as it should be."""
    return make_wheel(tmp_path / "toys-1.2-py3-none-any.whl")


def left_in(folder: Path) -> list[str]:
    """All files and folders below, without the locks and the packages' own folders."""
    return sorted(p.name for p in folder.glob("*/**/*") if p != folder)


def test_a_model_is_unpacked_and_its_neighbours_with_it(cache: Path, wheel: Path) -> None:
    said: list[str] = []
    path = zoo.fetch("toy_small", said.append, wheel)
    assert path == cache / "toys-1.2" / "toy_small.tflite"
    assert path.read_bytes() == CONTENT["toy_small"]
    assert left_in(cache) == ["toy_big.tflite", "toy_small.tflite"]
    assert any("toys==1.2" in line for line in said)


def test_what_is_cached_is_not_fetched_again(wheel: Path) -> None:
    zoo.fetch("toy_small", wheel=wheel)
    wheel.unlink()
    assert zoo.fetch("toy_big").read_bytes() == CONTENT["toy_big"]


@pytest.mark.parametrize("damage", [b"", b"short", CONTENT["toy_big"][:-1], CONTENT["toy_big"] + b"\0"])
def test_a_damaged_cached_file_is_fetched_again(damage: bytes, wheel: Path) -> None:
    path = zoo.fetch("toy_big", wheel=wheel)
    path.write_bytes(damage)
    assert not MODELS["toy_big"].is_cached
    assert zoo.fetch("toy_big", wheel=wheel).read_bytes() == CONTENT["toy_big"]
    assert MODELS["toy_big"].is_cached


def test_a_wrong_hash_leaves_nothing_behind(cache: Path, tmp_path: Path) -> None:
    forged = make_wheel(tmp_path / "forged.whl", toy_big=b"forged", toy_small=b"forged")
    with pytest.raises(DownloadFailed, match=r"toy_\w+ has SHA-256 [0-9a-f]{64}, [0-9a-f]{64} is expected"):
        zoo.fetch("toy_small", wheel=forged)
    assert left_in(cache) == []


def test_a_forged_neighbour_does_not_get_in(cache: Path, tmp_path: Path) -> None:
    forged = make_wheel(tmp_path / "forged.whl", toy_small=b"forged")
    with pytest.raises(DownloadFailed, match="toy_small has SHA-256"):
        zoo.fetch("toy_big", wheel=forged)
    assert "toy_small.tflite" not in left_in(cache)


def test_a_disk_that_fills_up_leaves_nothing_behind(cache: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(DownloadFailed, match="No space left on device"):
        zoo.fetch("toy_small", wheel=wheel)
    assert left_in(cache) == []


def without_a_model(wheel: Path) -> None:
    """Another release of the package, which no longer has one of the files."""
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toys/data/toy_big.tflite", CONTENT["toy_big"])


def flipped(wheel: Path) -> None:
    """Damaged inside the compressed data, directory intact."""
    data = bytearray(wheel.read_bytes())
    start = data.index(b"toy_big.tflite") + len(b"toy_big.tflite")
    for i in range(start, start + 40):
        data[i] ^= 0xFF
    wheel.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "without_a_model": without_a_model,
    "a download that broke off": lambda wheel: wheel.write_bytes(wheel.read_bytes()[:-400]),
    "flipped": flipped,
    "a page of a proxy, saved under the wheel's name": lambda wheel: wheel.write_bytes(b"<html>"),
    "a path with a mistake in it": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_wheel_that_is_not_the_one(damage: Callable[[Path], None], wheel: Path, cache: Path) -> None:
    damage(wheel)
    with pytest.raises(DownloadFailed, match=re.escape(str(wheel))):
        zoo.fetch("toy_small", wheel=wheel)
    assert "toy_small.tflite" not in left_in(cache)
    assert not [name for name in left_in(cache) if name.startswith(".unpacking")]


@pytest.mark.parametrize(
    ("name", "suggestion"), [("toy_bigg", "toy_big"), ("small_toy", "toy_small"), ("completely else", "toy_")]
)
def test_an_unknown_name_suggests_close_ones(name: str, suggestion: str, cache: Path) -> None:
    with pytest.raises(ModelNotFound, match=f"{name}.*\n.*did you mean .*{suggestion}"):
        zoo.fetch(name)
    assert not cache.exists()


class Pip:
    """Stands in for `subprocess.run`: downloads a wheel, or nothing for None, and exits with the code."""

    def __init__(self, wheel: Path | None, returncode: int) -> None:
        self.wheel, self.returncode = wheel, returncode
        self.command: list[str] = []

    def __call__(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        """Download, or not."""
        self.command = command
        if self.wheel:
            target = Path(command[command.index("--dest") + 1]) / self.wheel.name
            target.write_bytes(self.wheel.read_bytes())
        return subprocess.CompletedProcess(command, self.returncode)


def test_pip_fetches_what_is_not_here(wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(wheel, 0)
    monkeypatch.setattr(subprocess, "run", pip)
    said: list[str] = []
    assert zoo.fetch("toy_big", said.append).read_bytes() == CONTENT["toy_big"]
    assert {"download", "toys==1.2", "--no-deps", "--only-binary=:all:", "any", "3.12"} <= set(pip.command)
    assert said[0].startswith("fetching toys==1.2 (1 MB, Apache-2.0)")
    assert left_in(cache) == ["toy_big.tflite", "toy_small.tflite"], "the wheel is not kept"


@pytest.mark.parametrize(("downloads", "returncode"), [("nothing", 1), ("nothing", 0), ("a wheel", 1)])
def test_pip_fails(downloads: str, returncode: int, wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(wheel if downloads == "a wheel" else None, returncode))
    with pytest.raises(DownloadFailed, match=rf"exit code {returncode}.*\nhint: offline\?.*--wheel FILE") as caught:
        zoo.fetch("toy_big")
    assert str(cache) in caught.value.hint
    assert left_in(cache) == []


def fetch_in_a_process(wheel: Path, caches: list[Path], start: Any, results: Any) -> None:
    """Fill several empty caches, each at the same time as another process, and report the hash of what is found."""
    models.known = lambda: MODELS  # type: ignore[assignment]
    for cache in caches:
        os.environ["UNLITE_CACHE"] = str(cache)
        start.wait(60)
        results.put(hashlib.sha256(zoo.fetch("toy_big", wheel=wheel).read_bytes()).hexdigest())


def test_two_processes_at_once(wheel: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    caches = [tmp_path / f"cache{i}" for i in range(20)]
    processes = [context.Process(target=fetch_in_a_process, args=(wheel, caches, start, results)) for _ in range(2)]
    for process in processes:
        process.start()
    seen = [results.get(timeout=60) for _ in range(2 * len(caches))]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert set(seen) == {MODELS["toy_big"].sha256}
    assert all(left_in(cache) == ["toy_big.tflite", "toy_small.tflite"] for cache in caches)


def test_without_unlite_cache_the_platform_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNLITE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "platform" / name)
    assert zoo.cache_folder() == tmp_path / "platform" / "unlite"


def test_a_cache_that_cannot_be_written(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("UNLITE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(DownloadFailed, match=r"cannot write to the cache .*\nhint: set UNLITE_CACHE"):
        zoo.fetch("toy_big", wheel=wheel)


@pytest.mark.parametrize("given", ["some.tflite", "folder/without_suffix", "missing.task"])
def test_find_takes_what_looks_like_a_path_as_one(given: str) -> None:
    assert zoo.find(given) == Path(given)


def test_find_prefers_a_file_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("toy_big").write_bytes(b"a file of one's own")
    assert zoo.find("toy_big") == Path("toy_big")


def test_find_fetches_a_known_name(wheel: Path) -> None:
    zoo.fetch("toy_big", wheel=wheel)
    assert zoo.find("toy_big") == MODELS["toy_big"].path


def test_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    known = zoo.known()
    faces = "face_detection_full_range_sparse face_detection_short_range face_landmark face_landmark_with_attention"
    hands = "hand_landmark_full hand_landmark_lite hand_recrop iris_landmark palm_detection_full palm_detection_lite"
    others = "pose_detection pose_landmark_full selfie_segmentation selfie_segmentation_landscape"
    assert sorted(known) == f"{faces} {hands} {others}".split()
    assert all(re.fullmatch(r"[0-9a-f]{64}", model.sha256) for model in known.values())
    assert len({model.sha256 for model in known.values()}) == len(known)
    assert all(model.file.endswith(f"/{name}.tflite") for name, model in known.items())
    assert {str(model.package) for model in known.values()} == {"mediapipe==0.10.21"}
