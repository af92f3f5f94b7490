"""A changed detector that learns from its original, without labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import BadData
from converter.surgery.activations import swap_activation
from converter.surgery.inputs import resize_input
from tests.tools.commands import check_refused
from tests.tools.tiny_detector import SIDE, TINY, tiny_detector
from unlite.training import teaching
from unlite.training.drawn.sets import Drawn, drawn_set
from unlite.training.fitting import loop
from unlite.training.fitting.loop import Course
from unlite.training.settings import TeachingSettings
from unlite.training.teaching import teach

pytestmark = pytest.mark.one_setting

COURSE = Course(epochs=6, batch=8, learning_rate=5e-3, weight_decay=0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    drawn_set(folder, 10, size=64, drawn=Drawn(("fist", "open"), others=0))
    (folder / "fist" / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("logits_first", [False, True])
def test_teacher_repairs_exchanged_activations(pictures: Path, *, logits_first: bool) -> None:
    teacher = tiny_detector(logits_first=logits_first)
    student = swap_activation(teacher).model
    before = [value.copy() for value in student.get_weights()]
    taught = teach(student, pictures, teacher, TeachingSettings(rows=96, course=COURSE), detector=TINY)
    assert taught.before.expected == taught.after.expected > 0
    first, *_, last = taught.trained.rows
    assert last["val_loss"] < 0.8 * first["val_loss"]
    assert taught.after.share >= taught.before.share
    assert [problem.file.name for problem in taught.problems] == ["broken.jpg"]
    for old, now, new in zip(before, student.get_weights(), taught.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)  # the student that was given stays as it was
        assert not np.array_equal(old, new)
    told = json.loads(json.dumps(taught.as_dict()))
    assert told["after"]["share"] == taught.after.share
    assert (told["pictures"], told["held_out"]) == taught.pictures


def test_teacher_sees_its_own_size(pictures: Path) -> None:
    teacher = tiny_detector()
    student = resize_input(teacher, 2 * SIDE, 2 * SIDE)
    settings = TeachingSettings(rows=24, course=Course(epochs=1, batch=8))
    taught = teach(student, pictures, teacher, settings, detector=TINY)
    assert taught.detector.height == 2 * SIDE
    assert taught.model.input_shape == (None, 2 * SIDE, 2 * SIDE, 3)
    assert np.isfinite(taught.trained.rows[0]["val_loss"])


def test_what_is_right_already_does_not_become_worse(pictures: Path) -> None:
    teacher = tiny_detector()
    course = Course(epochs=2, batch=8, learning_rate=0.9)
    taught = teach(teacher, pictures, teacher, TeachingSettings(rows=24, course=course), detector=TINY)
    assert (taught.trained.epochs, taught.trained.best) == (2, 0)
    assert taught.after == taught.before
    for before, after in zip(teacher.get_weights(), taught.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("change", "given", "expected"),
    [
        (lambda model: swap_activation(model).model, None, 1e-3),
        (lambda model: resize_input(model, 2 * SIDE, 2 * SIDE), None, 1e-4),
        (lambda model: resize_input(model, 2 * SIDE, 2 * SIDE), 0.5, 0.5),
    ],
)
def test_what_is_nearly_right_learns_slowly(
    change: Any, given: float | None, expected: float, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    def fit(*arguments: Any, **settings: Any) -> Any:
        rates.append(arguments[4].learning_rate)
        return loop.fit(*arguments, **settings)

    monkeypatch.setattr(teaching, "fit", fit)
    teacher, course = tiny_detector(), Course(epochs=1, batch=8, learning_rate=given)
    teach(change(teacher), pictures, teacher, TeachingSettings(rows=8, course=course), detector=TINY)
    assert rates == [expected]


def test_no_pictures(tmp_path: Path) -> None:
    teacher = tiny_detector()
    for folder, message in ((tmp_path / "nowhere", "is no folder"), (tmp_path, "no pictures that can be read")):
        with pytest.raises(BadData, match=message):
            teach(teacher, folder, teacher, detector=TINY)


def test_nothing_to_find(pictures: Path) -> None:
    teacher = tiny_detector()
    teacher.get_layer("logits").bias.assign(np.full(4, -50, np.float32))
    with pytest.raises(BadData, match="tiny finds nothing in the"):
        teach(teacher, pictures, teacher, detector=TINY)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TeachingSettings(rows=0), "rows=0"),
        (TeachingSettings(share=1.0), "share=1.0"),
        (TeachingSettings(course=Course(batch=0)), "batch=0"),
    ],
)
def test_settings_that_make_no_sense(settings: TeachingSettings, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=message):
        teach(None, tmp_path, None, settings)


@pytest.mark.parametrize(
    "option", ["--labels=a", "--design=joint", "--train=all", "--group=a", "--copies=3", "--width=8"]
)
def test_command_refuses_what_is_about_labels(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("finetune", "relu.keras", "--teacher", "palm_detection_full", "--data", ".", option)
    check_refused(capsys, *arguments, message=f"--teacher and {option.partition('=')[0]} exclude each other")
