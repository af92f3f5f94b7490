"""A fine-tuning that takes seconds: for tests that start it, kill it and start it again."""

import hashlib
import sys
from pathlib import Path

from converter.surgery.tower import Tower
from unlite.training.drawn_set import Drawn
from unlite.training.finetuning import TrainingSettings, finetune
from unlite.training.loop import Course

DRAWN = Drawn(("fist", "open"), persons=4, others=0.0)
EACH, SIZE = 6, 128


def settings(epochs: int = 4) -> TrainingSettings:
    """Few rows, a small tower."""
    course = Course(epochs=epochs, batch=4, patience=epochs)
    return TrainingSettings(tower=Tower(8, 1), copies=2, share=0.3, course=course)


def main(model: str, data: str, folder: str, output: str) -> None:
    """Train, and write the weights of the best and of the last pass; each stage is told as it begins."""
    import numpy as np

    told = set()

    def progress(line: str) -> None:
        stage = line.partition(",")[0].partition(" ")[0]
        if stage not in told:
            told.add(stage)
            print(stage, flush=True)

    tuned = finetune(Path(model), Path(data), settings(), folder=Path(folder), progress=progress)
    weights = {f"best-{n:03}": value for n, value in enumerate(tuned.model.get_weights())}
    weights |= {f"last-{n:03}": value for n, value in enumerate(tuned.trained.last)}
    np.savez(output, **weights)
    digest = hashlib.sha256(b"".join(value.tobytes() for value in weights.values())).hexdigest()
    print(f"{tuned.trained.epochs} passes, best {tuned.trained.best}, {digest[:12]}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
