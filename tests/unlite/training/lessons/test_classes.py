"""What is to be learned beyond the classes: boxes and objectness, held by the original."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.surgery.tower import Tower
from parity.runners.runtimes import keras_runner
from tests.tools.tiny_detector import SIDE, TINY, tiny_detector
from unlite.training.fitting.loop import Course, fit
from unlite.training.lessons.classes import Lessons, boxes_wanted, probabilities
from unlite.training.lessons.features import Cache
from unlite.training.lessons.losses import anchor_classification, class_entropy, held_boxes, held_scores
from unlite.training.lessons.source import Source

pytestmark = pytest.mark.one_setting

CLASSES = 4  # as many as coordinates: what is what cannot be told by shapes alone


def lessons_of(design: Any = "joint", train: str = "classes") -> Lessons:
    return Lessons.of(Source.of(tiny_detector(), TINY), CLASSES, design, train, Tower(8, 1))


@pytest.mark.parametrize(
    ("design", "train", "losses"),
    [
        ("joint", "classes", (anchor_classification,)),
        ("joint", "heads", (held_boxes, anchor_classification)),
        ("joint", "all", (held_boxes, anchor_classification)),
        ("gated", "classes", (class_entropy,)),
        ("gated", "heads", (held_boxes, class_entropy)),
        ("gated", "all", (held_boxes, held_scores, class_entropy)),
    ],
)
def test_every_result_has_its_loss(design: Any, train: str, losses: Any) -> None:
    lessons = lessons_of(design, train)
    assert lessons.losses == losses
    assert len(lessons.form.wanted) == len(lessons.parts.head.outputs) == len(losses)


@pytest.mark.parametrize(("train", "trained"), [("heads", {"boxes", "logits"}), ("all", None)])
def test_further_goes_on_from_what_was_learned(train: str, trained: set[str] | None) -> None:
    lessons = lessons_of()
    logits = lessons.parts.model.get_layer("logits")
    logits.set_weights([value + 1 for value in logits.get_weights()])
    x = np.random.default_rng(0).uniform(0, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    further = lessons.further(train)
    for made, expected in zip(
        keras_runner(further.parts.model)([x]), keras_runner(lessons.parts.model)([x]), strict=True
    ):
        np.testing.assert_allclose(made, expected, atol=1e-6)
    found = {layer.name for layer in further.parts.head.layers if layer.trainable_weights}
    assert found == (trained or {layer.name for layer in further.parts.model.layers if layer.weights})
    frozen = {layer.name for layer in lessons.parts.model.layers if layer.weights and not layer.trainable}
    assert frozen == {"conv_0", "prelu_0", "conv_1", "prelu_1", "boxes"}  # the first model is as it was


def test_tower_normalizes_further_as_in_use() -> None:
    further = lessons_of("tower").further("all")
    kinds = {
        type(layer).__name__: bool(layer.trainable_weights) for layer in further.parts.model.layers if layer.weights
    }
    assert kinds["Conv2D"]
    assert not kinds["BatchNormalization"]


def test_original_holds_boxes(tmp_path: Path) -> None:
    """What is right already stays; without the original they would go."""
    lessons = lessons_of("joint", "all")
    rng = np.random.default_rng(0)
    taken = rng.uniform(0, 1, (16, SIDE, SIDE, 3)).astype(np.float16)
    run = lessons.runner()
    said = [run(each[None].astype(np.float32)) for each in taken]
    held = np.stack([boxes_wanted(regressors, logits) for _, regressors, logits in said if logits is not None])
    classes = rng.integers(-1, CLASSES, (16, 64, 1)).astype(np.int16)
    far = {}
    for name, boxes in (("held", held), ("free", held * np.array([1, 1, 1, 1, 0], np.float32))):
        lessons = lessons_of("joint", "all")
        (tmp_path / name).mkdir()
        cache = Cache((taken,), (boxes, classes))
        fit(lessons.parts.head, lessons.losses, cache, cache, Course(epochs=40, batch=16), tmp_path / name)
        made = keras_runner(lessons.parts.model)([taken.astype(np.float32)])[0]
        far[name] = np.abs(made - held[..., :4]).mean()
    assert far["held"] < 0.5 * far["free"]


def test_teacher_says_how_sure_it_is() -> None:
    logits = np.array([[-1e4], [-3.0], [0.0], [1e4]], np.float32)
    np.testing.assert_allclose(probabilities(logits)[:, 0], [0, 1 / (1 + np.exp(3)), 0.5, 1], atol=1e-6)
    wanted = boxes_wanted(np.ones((4, 6), np.float32), logits)
    np.testing.assert_allclose(wanted[:, 6], [0, 0, 0.5, 1], atol=1e-6)
    np.testing.assert_array_equal(wanted[:, :6], 1)
