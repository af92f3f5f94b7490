"""What trains once the classes have been learned: the boxes' last layers, or all layers, for a little and slowly.

New layers first, on features that stay: their first gradients are large, and would go through all that the detector has
learned. Every row then costs a pass through the whole model in Keras, so there are far fewer of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unlite.training.fitting.loop import LEARNING_RATE, Course, Trained, fit
from unlite.training.lessons.augment import Augmentation
from unlite.training.lessons.classes import Lessons
from unlite.training.lessons.features import FURTHER, Cache
from unlite.training.lessons.placing import Placed

Progress = Callable[[str], None]
# About how many rows there are, and of one picture at most.
ROWS, MOST = 400, 16
# How often they are looked at, how many at once, and how much slower it learns.
PASSES, BATCH, SLOWER = 4, 8, 600


def train_further(  # noqa: PLR0913, PLR0917 - lessons, pictures, and how
    lessons: Lessons,
    train: str,
    pictures: tuple[Sequence[Placed], Sequence[Placed]],
    augmentation: Augmentation,
    course: Course,
    folder: Path,
    progress: Progress = lambda _: None,
) -> tuple[Lessons, Trained]:
    """Train more of a model whose classes have been trained; where its boxes train, the original holds them.

    Args:
        lessons: The model.
        train: `heads` or `all`.
        pictures: To learn from, and to say which pass was the best.
        augmentation: How far they vary.
        course: How the classes were trained.
        folder: Where that run is kept.
        progress: Called with what is being done.

    Returns:
        Another model.
    """
    more, folder = lessons.further(train), folder / FURTHER

    def cached(placed: Sequence[Placed], copies: int, side: str) -> Cache:
        # From all over the set, if there are more than enough.
        rows = more.rows(placed[:: -(-len(placed) // ROWS)], copies, augmentation, course.seed)
        return rows.cache(folder / side, lambda done, all_: progress(f"inputs for {side}, {done}/{all_}"))

    copies = min(max(ROWS // len(pictures[0]), 1), MOST)
    learned, checked = cached(pictures[0], copies, "train"), cached(pictures[1], 1, "val")
    rate, batch = (course.learning_rate or LEARNING_RATE) / SLOWER, min(course.batch, BATCH)
    slow = replace(course, epochs=PASSES, batch=batch, learning_rate=rate, weight_decay=0.0)
    return more, fit(more.parts.head, more.losses, learned, checked, slow, folder, progress)
