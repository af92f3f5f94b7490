"""A process that collects is killed at any moment: the data set is whole, and goes on."""

import json
import multiprocessing
import secrets
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.staged import collector, keep
from unlite.collecting.files import OWN, ROWS

pytestmark = pytest.mark.one_setting

LABELS = ("fist", "palm", "none")
KILLS = 20
LONGEST = 0.5  # seconds until a kill
# What a process would import in that time.
PRELOADED = [__name__, "skimage.measure._blur_effect", "imagehash", "cv2", "PIL.JpegImagePlugin"]


def collect_until_killed(root: Path, seed: int, told: Connection) -> None:
    """Collect, strike out and move at random; before and after each step say what holds."""
    dice, made = np.random.default_rng(seed), collector(root)
    made.store.open(LABELS)
    while True:
        numbers = [number for number, _ in made.store.items()]
        names = {number: Path(picture.file_name).name for number, picture in made.store.items()}
        told.send(("kept", sorted(names.values())))
        step = dice.random()
        if step < 0.8 or len(numbers) < 3:
            label = str(dice.choice(LABELS))
            keep(made, label, int(dice.integers(1 << 32)), *([] if label == "none" else [0.9]))
        elif step < 0.9:
            chosen = dice.choice(numbers, 2, replace=False).tolist()
            told.send(("striking", [names[number] for number in chosen]))
            made.store.strike(chosen)
        else:
            fists = [number for number, picture in made.store.items() if picture.objects]
            made.store.move(fists[:2], str(dice.choice(LABELS[:2])))


def told_until_killed(root: Path, seed: int) -> tuple[set[str], set[str]]:
    """What a process had kept when it was killed, and what it was about to strike out."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=collect_until_killed, args=(root, seed, theirs))
    process.start()
    theirs.close()
    said: dict[str, list[str]] = {"kept": [], "striking": []}
    assert ours.poll(60), "it does not start"
    end = time.monotonic() + np.random.default_rng(seed).uniform(0, LONGEST)
    try:
        while True:
            if time.monotonic() > end:
                process.kill()
            if ours.poll(0.001):
                what, names = ours.recv()
                said["striking"] = []
                said[what] = names
    except (EOFError, OSError):
        process.join()
    return set(said["kept"]), set(said["striking"])


def test_killed_at_any_moment_it_is_whole_and_goes_on(tmp_path: Path) -> None:
    root, first = tmp_path / "set", secrets.randbelow(1 << 32)
    for seed in range(first, first + KILLS):
        kept, striking = told_until_killed(root, seed)
        written = json.loads((root / ROWS).read_text())
        for image in written["images"]:
            with Image.open(root / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])
        on_disk = [path.name for path in root.rglob("*.jpg") if OWN not in path.parts]
        for path in root.rglob("*.jpg"):
            if OWN not in path.parts:
                Image.open(path).load()
        assert kept - striking <= set(on_disk), f"lost with seed {seed}"
        again = collector(root)
        again.store.open(LABELS)
        names = [Path(picture.file_name).name for _, picture in again.store.items()]
        assert kept - striking <= set(names), f"forgotten with seed {seed}"
        assert len(names) == len(set(names)), f"twice with seed {seed}"
        again.store.close()
        assert sorted(path.name for path in root.rglob("*.jpg")) == sorted(names), f"left over with seed {seed}"
    assert len(names) > KILLS
