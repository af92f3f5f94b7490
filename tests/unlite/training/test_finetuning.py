"""Which pictures say how good a model is, and from which score on a detection counts."""

from types import SimpleNamespace
from typing import Any

import pytest

from unlite.training import finetuning

LESSONS: Any = SimpleNamespace(parts=SimpleNamespace(model="model"))
SOURCE: Any = SimpleNamespace(detector="detector")
DATASET: Any = SimpleNamespace(labels=("fist", "ok"))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ([], [("for validation", None)]),
        ("for testing", [("for validation", None), ("for testing", 0.4)]),
    ],
)
def test_pictures_for_testing_have_no_say_in_the_threshold(
    monkeypatch: pytest.MonkeyPatch, test: Any, expected: list[Any]
) -> None:
    asked = []

    def judge(model: str, detector: str, placed: Any, labels: Any, _: Any, *, threshold: float | None) -> Any:
        assert (model, detector, labels) == ("model", "detector", ("fist", "ok"))
        asked.append((placed, threshold))
        return SimpleNamespace(threshold=threshold or 0.4)

    monkeypatch.setattr(finetuning, "judge", judge)
    sides: Any = {"train": "for training", "val": "for validation", "test": test}
    evaluation, _ = finetuning._judge(LESSONS, SOURCE, sides, DATASET, print)
    assert evaluation.threshold == 0.4
    assert asked == expected
