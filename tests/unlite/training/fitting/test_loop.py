"""Training on cached rows: what trains, what stays bit for bit, where an interrupted run goes on; on all back ends."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import BadData
from converter.surgery.tower import Tower
from converter.write.writer import write
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT, keras_runner
from tests.tools import models
from tests.tools.lazy import keras, layers
from unlite.training.fitting.loop import Course, Trained, fit
from unlite.training.lessons.classes import Lessons
from unlite.training.lessons.features import RESULTS, STATE, Cache
from unlite.training.lessons.losses import anchor_classification
from unlite.training.lessons.source import Source

CLASSES, FACE = 3, "face_detection_short_range"
CASES = [
    (FACE, "joint"),
    (FACE, "bottleneck"),
    (FACE, "tower"),
    ("palm_detection_full", "gated"),
    ("palm_detection_full", "tower"),
    ("face_detection_full_range_sparse", "tower"),
]
BRIEF = Course(epochs=2, batch=2)


def lessons_of(name: str, design: Any, train: str = "classes") -> Lessons:
    return Lessons.of(Source.of(models.shared(name)), CLASSES, design, train, Tower(8, 1))


def random_rows(lessons: Lessons, rows: int = 4) -> Cache:
    rng, form = np.random.default_rng(0), lessons.form
    taken = tuple(rng.normal(0, 1, (rows, *shape)).astype(np.float16) for shape in form.taken)
    wanted = tuple(
        rng.integers(-2, CLASSES, (rows, *shape)).astype(dtype) if dtype == "int16" else np.ones((rows, *shape), dtype)
        for shape, dtype in form.wanted
    )
    return Cache(taken, wanted)


def boxes_and_rest(made: list[Any], coordinates: int) -> tuple[Any, list[Any]]:
    place = next(n for n, each in enumerate(made) if each.shape[-1] == coordinates)
    return made[place], made[:place] + made[place + 1 :]


@pytest.mark.parametrize(("name", "design"), CASES)
def test_training_classes_leaves_boxes_bit_for_bit(name: str, design: Any, tmp_path: Path) -> None:
    lessons, original = lessons_of(name, design), models.original(name)
    model, coordinates = lessons.parts.model, lessons.source.detector.coordinates
    x = seeded_inputs(original.graph, 1)[-1]
    before, rest_before = boxes_and_rest(keras_runner(model)(x), coordinates)
    weights = {weight.path: np.array(weight) for weight in model.weights}
    rows = random_rows(lessons)
    fit(lessons.parts.head, lessons.losses, rows, rows, BRIEF, tmp_path)

    after, rest_after = boxes_and_rest(keras_runner(model)(x), coordinates)
    np.testing.assert_array_equal(after, before)
    np.testing.assert_array_equal(after, boxes_and_rest(keras_runner(models.shared(name))(x), coordinates)[0])
    assert not np.array_equal(rest_after[-1], rest_before[-1])  # something was learned
    if design == "gated":
        np.testing.assert_array_equal(rest_after[0], rest_before[0])
    trained = {
        weight.path for layer in lessons.parts.head.layers if layer.trainable_weights for weight in layer.weights
    }
    changed = {weight.path for weight in model.weights if not np.array_equal(np.array(weight), weights[weight.path])}
    assert changed
    assert changed <= trained

    data = write(original, model)
    for kernels in ("plain", "xnnpack"):
        new, old = (LiteRT(each, kernels).run(x) for each in (data, original.data))
        np.testing.assert_array_equal(*(boxes_and_rest(each, coordinates)[0] for each in (new, old)))


def test_training_heads_changes_boxes(tmp_path: Path) -> None:
    """What the test above would see if anything of the boxes trained."""
    name, lessons = FACE, lessons_of(FACE, "joint", "heads")
    model, coordinates = lessons.parts.model, lessons.source.detector.coordinates
    x = seeded_inputs(models.original(name).graph, 1)[-1]
    before, _ = boxes_and_rest(keras_runner(model)(x), coordinates)
    rows = random_rows(lessons)
    fit(lessons.parts.head, lessons.losses, rows, rows, BRIEF, tmp_path)
    assert not np.array_equal(boxes_and_rest(keras_runner(model)(x), coordinates)[0], before)


def small_head(seed: int = 0) -> Any:
    """Features [4, 4, 5] → logits [16, 3]."""
    keras.utils.set_random_seed(seed)
    x = keras.Input((4, 4, 5))
    made = layers.Conv2D(6, 3, padding="same", activation="tanh", name="first")(x)
    return keras.Model([x], [layers.Reshape((16, CLASSES))(layers.Conv2D(CLASSES, 1, name="last")(made))])


def small_rows(rows: int = 22) -> Cache:
    rng = np.random.default_rng(1)
    taken = rng.normal(0, 1, (rows, 4, 4, 5)).astype(np.float16)
    return Cache((taken,), (rng.integers(-2, CLASSES, (rows, 16, 1)).astype(np.int16),))


def learn(
    folder: Path, course: Course, progress: Any = lambda _: None, rows: Cache | None = None
) -> tuple[Any, Trained]:
    head, rows = small_head(), rows or small_rows()
    return head, fit(head, [anchor_classification], rows, small_rows(6), course, folder, progress)


SMALL = Course(epochs=5, batch=4, learning_rate=0.05)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Trained]:
    """What comes of it if nothing happens."""
    return learn(tmp_path_factory.mktemp("whole"), SMALL)


def test_two_runs_end_alike_and_other_seeds_do_not(whole: tuple[Any, Trained], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    (_, first), (_, second) = whole, learn(folders[0], SMALL)
    _, other = learn(folders[1], Course(epochs=5, batch=4, learning_rate=0.05, seed=1))
    for one, two in zip(first.last, second.last, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.last[0], other.last[0])


@pytest.mark.parametrize("moment", ["pass 1/5, step 2/6", "pass 2/5, step 6/6", "pass 4/5, step 1/6"])
def test_goes_on_where_it_was_interrupted(moment: str, whole: tuple[Any, Trained], tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if moment in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path, SMALL, stop)
    assert (tmp_path / STATE).exists() == ("pass 1/" not in moment)
    head, made = learn(tmp_path, SMALL)
    whole_head, right = whole
    for one, two in zip((*right.last, *whole_head.get_weights()), (*made.last, *head.get_weights()), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (made.epochs, made.best) == (right.epochs, right.best)
    assert [row["val_loss"] for row in made.rows] == [row["val_loss"] for row in right.rows]
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 6
    again, still = learn(tmp_path, SMALL)  # it has ended: nothing is trained any more
    assert still.rows == made.rows
    np.testing.assert_array_equal(again.get_weights()[0], head.get_weights()[0])


def test_the_best_pass_is_kept_and_waiting_has_an_end(tmp_path: Path) -> None:
    """With such a rate it only gets worse after a while."""
    head, made = learn(tmp_path, Course(epochs=30, batch=4, learning_rate=0.9, patience=2))
    best = min(made.rows, key=lambda row: row["val_loss"])
    assert made.best == best["epoch"] < made.epochs == made.best + 2
    head.compile(loss=anchor_classification)
    rows = small_rows(6)
    loss = head.evaluate(rows.taken[0].astype(np.float32), rows.wanted[0].astype(np.float32), batch_size=4, verbose=0)
    assert np.ravel(loss)[0] == pytest.approx(best["val_loss"], rel=1e-5)


def test_weights_decay_and_biases_do_not(tmp_path: Path) -> None:
    """Nothing is asked of any anchor: what changes is decay alone."""
    rows = small_rows()
    rows.wanted[0][:] = -2
    head = small_head()
    for layer in head.layers:
        if layer.weights:
            layer.set_weights([np.ones_like(value) for value in layer.get_weights()])
    fit(head, [anchor_classification], rows, rows, Course(epochs=2, batch=4, weight_decay=0.5), tmp_path)
    fit(head, [anchor_classification], rows, rows, Course(epochs=3, batch=4, weight_decay=0.5), tmp_path)
    for weight, value in zip(head.weights, (head.get_weights()), strict=True):
        assert (np.asarray(value) == 1).all() == weight.path.endswith("bias")


def test_a_loss_that_is_none(tmp_path: Path) -> None:
    rows = small_rows()
    rows.taken[0][3] = np.nan
    with pytest.raises(BadData, match=r"loss is nan after pass 1\nhint: a smaller learning_rate"):
        learn(tmp_path, SMALL, rows=rows)
    assert not list(tmp_path.iterdir())  # it would go on from there


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch": 0}, "batch=0"),
        ({"patience": 0}, "patience=0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
    ],
)
def test_courses_that_train_nothing(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData, match=message):
        Course(**setting).check()
