"""What each design is worth beside what it costs: all of them trained on the same pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.detectors.table import Detector
from converter.surgery.heads import Design
from unlite.cost.verdict import Heads
from unlite.training.data.records import Dataset
from unlite.training.finetuning import finetune
from unlite.training.judging.evaluate import Evaluation
from unlite.training.judging.pareto import Worth
from unlite.training.result import Finetuned
from unlite.training.settings import TrainingSettings


def train_designs(  # noqa: PLR0913, PLR0917 - what `finetune` takes, and which designs
    model: Any,
    dataset: Dataset,
    designs: Sequence[Design],
    settings: TrainingSettings,
    detector: Detector | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[Design, Finetuned]:
    """Train every design, each from the start; all other settings are the same.

    Raises:
        UnliteError: See `unlite.training.finetuning.finetune`.
    """
    made = {}
    for design in designs:

        def say(what: str, design: Design = design) -> None:
            progress(f"{design}: {what}")

        made[design] = finetune(model, dataset, replace(settings, design=design), detector=detector, progress=say)
    return made


def at_one_look(tuned: Finetuned) -> Evaluation:
    """How good it is where the detector looks at each picture once, which is what its cost is about."""
    return tuned.own_scale or tuned.evaluation


def worths(heads: Heads, tuned: Mapping[Design, Finetuned]) -> list[Worth]:
    """Of every design that was measured and trained: what it takes from picture to detections, and its mAP@0.5."""
    evaluations = {str(design): at_one_look(each) for design, each in tuned.items()}
    return [
        Worth(row.design, row.classes, 1000 * row.total.median, evaluations[row.design].map50)
        for row in heads.rows(heads.runtime)
        if row.design in evaluations
    ]
