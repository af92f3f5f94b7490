"""What trains once the classes have been learned: the boxes' last layers, or all layers, for a little and slowly.

New layers first, on features that stay: their first gradients are large, and would go through all that the detector has
learned. Every row then costs a pass through the whole model in Keras, so there are far fewer of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unlite.training.augment import Augmentation
from unlite.training.features import FURTHER
from unlite.training.lessons import Lessons
from unlite.training.loop import Course, Trained, fit
from unlite.training.placing import Placed

Progress = Callable[[str], None]
# About how many rows there are, how often they are looked at, how many at once, and how much slower it learns.
ROWS, PASSES, BATCH, SLOWER = 400, 4, 8, 20


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
    caches = []
    for side, placed in zip(("train", "val"), pictures, strict=True):
        # From all over the set, if there are more than enough.
        chosen = placed[:: -(-len(placed) // ROWS)]
        rows = more.rows(chosen, max(ROWS // len(placed), 1) if side == "train" else 1, augmentation, course.seed)

        def told(done: int, all_: int, side: str = side) -> None:
            progress(f"inputs for {side}, {done}/{all_}")

        caches.append(rows.cache(folder / side, told))
    rate, batch = course.learning_rate / SLOWER, min(course.batch, BATCH)
    slow = replace(course, epochs=PASSES, batch=batch, learning_rate=rate, weight_decay=0.0)
    return more, fit(more.parts.head, more.losses, *caches, slow, folder, progress)
