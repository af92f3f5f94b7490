"""What a second stage learns from: which regions, how they vary, and what is `none`."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import converter
from converter.detectors.letterbox import Region
from converter.detectors.table import Detector, anchors, find
from converter.errors import BadData
from parity.runners.runtimes import Array, Run
from tests.tools.models import path
from unlite.detection.images import load_picture
from unlite.detection.second_stage import cut_region, load_second_stage
from unlite.training.data.records import Annotation, Example
from unlite.training.drawn.sets import Drawn, drawn_set
from unlite.training.finetuning import finetune
from unlite.training.fitting.loop import Course
from unlite.training.lessons.augment import Augmentation
from unlite.training.lessons.placing import Placed
from unlite.training.lessons.regions import DEGREES, GROWTH, SHIFT, Regions, Rows, labelled, moved
from unlite.training.lessons.targets import IGNORED, Objects
from unlite.training.settings import TrainingSettings

TINY = Detector("tiny", 8, 8, (4,), 0.1, 0.5, ("nose",), (-1.0, 1.0))
LABELS = ("fist", "open")


def finding(*boxes: tuple[float, float, float, float]) -> Run:
    """A detector that finds these boxes in every picture, shares of it, with a score of 0.9."""

    def run(_: Sequence[Array]) -> list[Array]:
        logits = np.full((1, TINY.boxes, 1), -20, np.float32)
        regressors = np.zeros((1, TINY.boxes, TINY.coordinates), np.float32)
        for row, (left, top, width, height) in enumerate(boxes):
            logits[0, row] = np.log(9)
            x, y = (np.array([left + width / 2, top + height / 2]) - anchors(TINY)[row]) * 8
            regressors[0, row] = [x, y, 8 * width, 8 * height, x, y]
        return [regressors, logits]

    return run


def source(*boxes: tuple[float, float, float, float], detector: Detector = TINY) -> Any:
    return SimpleNamespace(name="tiny", detector=detector, make_run=lambda: finding(*boxes))


def placed(folder: Path, *objects: tuple[int, tuple[float, float, float, float]], has_boxes: bool = True) -> Placed:
    """A square picture in which every pixel is another colour."""
    file = folder / f"{len(list(folder.iterdir()))}.png"
    Image.fromarray(np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)).save(file)
    boxes = np.array([box for _, box in objects], np.float32).reshape(-1, 4)
    classes = np.array([class_ for class_, _ in objects], np.intp)
    annotations = tuple(Annotation(LABELS[c], box if has_boxes else None) for c, box in objects if c != IGNORED)
    keypoints = np.full((len(objects), 1, 2), np.nan, np.float32)
    return Placed(Example(file, annotations), Objects(boxes, classes, keypoints), (True,) * len(objects))


def rows(*each: Placed, found: Sequence[tuple[float, float, float, float]] = (), copies: int = 3) -> Rows:
    return Regions.of(source(*found), LABELS).rows(each, copies, Augmentation(), 0)


HERE, THERE = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.3, 0.3)


def test_what_is_labelled_and_what_is_found_besides(tmp_path: Path) -> None:
    made = rows(placed(tmp_path, (1, HERE)), found=[HERE, THERE])
    assert [subject.class_ for subject in made.subjects] == [1, 2]
    np.testing.assert_allclose(made.subjects[1].found.boxes_xywh, [THERE], atol=1e-6)
    assert len(made) == 6


def test_what_nobody_is_sure_of_is_not_none(tmp_path: Path) -> None:
    without_boxes = rows(placed(tmp_path, (1, HERE), has_boxes=False), found=[HERE, THERE])
    assert [subject.class_ for subject in without_boxes.subjects] == [1]
    ignored = rows(placed(tmp_path, (1, HERE), (IGNORED, THERE)), found=[HERE, THERE])
    assert [subject.class_ for subject in ignored.subjects] == [1]


def test_pictures_without_objects_are_none(tmp_path: Path) -> None:
    hand, empty = placed(tmp_path, (0, HERE)), placed(tmp_path)
    made = rows(hand, empty, found=[HERE])
    assert [(subject.class_, subject.path) for subject in made.subjects] == [
        (0, hand.example.path),
        (2, empty.example.path),  # what is found
        (2, empty.example.path),  # anywhere
    ]
    np.testing.assert_allclose(made.subjects[2].found.boxes_xywh[0, 2:], HERE[2:])
    assert [len(made.seen(number).objects) for number in (0, 3, 6)] == [1, 0, 0]


def test_the_first_is_what_is_seen_in_use_and_others_vary(tmp_path: Path) -> None:
    made = rows(placed(tmp_path, (0, HERE)))
    picture = load_picture(made.subjects[0].path)
    tensors = [made.seen(number).tensor for number in range(3)]
    np.testing.assert_array_equal(tensors[0], cut_region(made.subjects[0].found, TINY, picture, (64, 64)))
    assert all(tensor.shape == (1, 64, 64, 3) and -1 <= tensor.min() < tensor.max() <= 1 + 1e-6 for tensor in tensors)
    assert not np.array_equal(tensors[1], tensors[2])
    np.testing.assert_array_equal(made.seen(2).tensor, tensors[2])
    assert made.examples(5) == [1]


def test_rows_of_a_cache(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    made = rows(placed(tmp_path / "pictures", (1, HERE)), found=[THERE], copies=1)
    cache = made.cache(tmp_path / "cache")
    assert cache.wanted[0][:, 0].tolist() == [1, 2]
    np.testing.assert_allclose(cache.taken[0][1], made.seen(1).tensor[0], atol=1e-3)


def test_palms_without_keypoints_have_no_region(tmp_path: Path) -> None:
    palm, each = find("palm"), placed(tmp_path, (0, HERE), (1, THERE))
    keypoints = np.zeros((2, 7, 2), np.float32)
    keypoints[0] = np.nan
    known = Placed(each.example, Objects(each.objects.boxes_xywh, each.objects.classes, keypoints), (True, False))
    assert [subject.class_ for subject in labelled(known, palm)] == [1]
    assert [subject.class_ for subject in labelled(each, TINY)] == [0, 1]


def test_moved_no_further_than_said() -> None:
    region, rng = Region(50, 60, 20, 20, 0.3), np.random.default_rng(0)
    made = [moved(region, rng) for _ in range(200)]
    assert max(abs(each.x - 50) for each in made) == pytest.approx(20 * SHIFT, rel=0.1)
    assert max(abs(each.y - 60) for each in made) == pytest.approx(20 * SHIFT, rel=0.1)
    assert max(each.width for each in made) == pytest.approx(20 * GROWTH, rel=0.1)
    assert min(each.width for each in made) == pytest.approx(20 / GROWTH, rel=0.1)
    assert max(abs(each.rotation - 0.3) for each in made) == pytest.approx(np.radians(DEGREES), rel=0.1)
    assert all(each.width == each.height for each in made)


def test_none_is_no_label() -> None:
    with pytest.raises(BadData, match="a label is called 'none'"):
        Regions.of(source(), ("fist", "none"))


@pytest.mark.one_setting
def test_learns_to_name_hands(tmp_path: Path) -> None:
    drawn_set(tmp_path / "hands", 16, drawn=Drawn(("fist", "open"), persons=4, others=0.0), size=160)
    settings = TrainingSettings(design="two_stage", copies=2, share=0.3, course=Course(epochs=6, batch=8))
    tuned = finetune(path("palm_detection_full"), tmp_path / "hands", settings, folder=tmp_path / "run")
    assert (tuned.labels.names, tuned.labels.original) == (("fist", "open", "none"), "hand_landmark_full")
    assert tuned.evaluation.accuracy >= 0.5  # of a few pictures, not all of which the detector finds; chance is a third
    assert tuned.own_scale is not None
    assert tuned.own_scale.threshold == tuned.evaluation.threshold
    assert "(near)" in tuned.notes[0]
    assert tuned.as_dict()["own_scale"]["at_threshold"]["accuracy"] == tuned.own_scale.accuracy
    converter.save(tuned.model, tmp_path / "second.keras", tuned.labels)
    stage = load_second_stage(tmp_path / "second.keras", find("palm"))
    assert (stage.size, stage.labels) == ((224, 224), tuned.labels)
