"""A fine-tuning that takes seconds: for tests that start it, kill it and start it again."""

import sys
from functools import partial
from pathlib import Path

from converter.surgery.tower import Tower
from unlite.training.drawn.sets import Drawn
from unlite.training.finetuning import finetune
from unlite.training.fitting.loop import Course
from unlite.training.settings import TrainingSettings

DRAWN = Drawn(("fist", "open"), persons=4, others=0.0)
EACH, SIZE = 6, 128


def settings(epochs: int = 4) -> TrainingSettings:
    """Few rows, a small tower."""
    course = Course(epochs=epochs, batch=4, patience=epochs)
    return TrainingSettings(tower=Tower(8, 1), copies=2, share=0.3, course=course)


def main(model: str, data: str, folder: str, output: str) -> None:
    """Train, and write the weights of the best and of the last pass; what it does is told line by line."""
    import numpy as np

    tuned = finetune(Path(model), Path(data), settings(), folder=Path(folder), progress=partial(print, flush=True))
    weights = {f"best-{n:03}": value for n, value in enumerate(tuned.model.get_weights())}
    weights |= {f"last-{n:03}": value for n, value in enumerate(tuned.trained.last)}
    np.savez(output, **weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
