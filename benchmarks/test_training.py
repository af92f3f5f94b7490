"""Pictures a second in each stage of fine-tuning, and what caching features is worth: ratios within one run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from converter.surgery.tower import Tower
from tests.tools.models import original
from unlite.training.drawn.sets import Drawn, drawn_set
from unlite.training.fitting.loop import Course, batches
from unlite.training.lessons.augment import Augmentation
from unlite.training.lessons.classes import Lessons
from unlite.training.lessons.features import Cache
from unlite.training.lessons.placing import place
from unlite.training.lessons.source import Source

PICTURES, COPIES, BATCH, ROUNDS = 12, 8, 32, 3
# Of a step of the head's training; what is more would be waiting for data.
MOST_LOADING = 0.2
# How many times as many pictures a second the head sees on cached features: far below what was measured.
WORTH = 10


def seconds(work: Callable[[], Any]) -> float:
    """The shortest of a few."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def test_pictures_a_second(report: list[str], tmp_path: Path) -> None:
    dataset = drawn_set(tmp_path / "set", PICTURES, drawn=Drawn(gestures=("fist", "open"), others=0))
    source = Source.of(original("palm_detection_full"))
    placed = place(dataset, source.make_run, source.detector).placed
    lessons, whole = (Lessons.of(source, 2, "tower", train, Tower()) for train in ("classes", "all"))
    rows = lessons.rows(placed, COPIES, Augmentation(), 0)
    start = time.perf_counter()
    cache = rows.cache(tmp_path / "cache")
    features = len(rows) / (time.perf_counter() - start)
    loading, step = _measured(lessons, cache)
    tensors = whole.rows(placed, 3, Augmentation(), 0).cache(tmp_path / "whole")
    _, full = _measured(whole, tensors)
    uncached = 1 / (1 / features + 1 / full)
    report += [
        f"features {features:.0f} pictures a second; the head {step:.0f}, of which loading {loading:.1%}",
        f"every layer {full:.1f} pictures a second, with each picture made anew {uncached:.1f}: caching is worth "
        f"{step / uncached:.0f} times",
    ]
    assert loading < MOST_LOADING
    assert step > WORTH * uncached


def _measured(lessons: Lessons, cache: Cache) -> tuple[float, float]:
    """Share of a training step that loading its rows takes, and pictures a second in training."""
    import keras

    head, course = lessons.parts.head, Course(batch=BATCH)
    losses = list(lessons.losses) if len(lessons.losses) > 1 else lessons.losses[0]
    head.compile(keras.optimizers.AdamW(1e-5), loss=losses, jit_compile=False)
    data = batches(cache, course, 0)
    taken, wanted = data[0]
    head.train_on_batch(taken, wanted)  # traced once
    loading, training = seconds(lambda: data[0]), seconds(lambda: head.train_on_batch(taken, wanted))
    return loading / (loading + training), len(np.asarray(taken[0])) / (loading + training)
