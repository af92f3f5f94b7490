"""A second stage on its own: which region it sees, what it says, and which models are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import converter
from converter.detectors.labels import Labels
from converter.detectors.letterbox import Region
from converter.detectors.table import Detector, find
from converter.errors import BadDetector
from fixtures.builder import Builder
from tests.tools.lazy import keras
from unlite.detection.finder import Finder, Named
from unlite.detection.landmarks import hand_region
from unlite.detection.pipeline import Detections, Floats
from unlite.detection.second_stage import SecondStage, cut_region, load_second_stage, region_of

TINY = Detector("tiny", 8, 12, (4,), 0.0, 0.5, ("nose",), (-1.0, 1.0))
PICTURE = np.zeros((100, 200, 3), np.uint8)


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    count, array = len(boxes), np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, array[:, None, :2].copy(), np.ones(count, np.float32), np.zeros(count, np.intp))


def stage(logits: dict[float, list[float]], threshold: float | None = None) -> SecondStage:
    """Says this where the middle of the region is as bright."""

    def run(inputs: list[Floats]) -> list[Floats]:
        middle = float(inputs[0][0, 4, 4, 0])
        return [np.array([logits[min(logits, key=lambda known: abs(known - middle))]], np.float32)]

    return SecondStage(run, (8, 8), Labels(("none", "fist", "palm"), threshold, "tiny"), TINY)  # type: ignore[arg-type]


def test_region_lies_around_the_box() -> None:
    region = region_of(detections((0.1, 0.2, 0.2, 0.1)), TINY, PICTURE)  # 40×10 pixels at (20, 20)
    assert (region.width, region.height, region.rotation) == pytest.approx((60, 60, 0))
    assert (region.x, region.y) == pytest.approx((40, 25))


def test_region_of_a_palm_is_its_hand() -> None:
    palm = replace(detections((0.4, 0.4, 0.2, 0.2)), keypoints_xy=np.array([[(0.4 + n / 50, 0.6) for n in range(7)]]))
    region = region_of(palm, find("palm"), PICTURE)
    assert region == hand_region(palm, PICTURE)
    assert region.rotation > 1  # its fingers point to the right


def test_what_is_cut_out_is_in_the_detectors_range() -> None:
    picture = PICTURE.copy()
    picture[20:30, 20:60] = 255
    cut = cut_region(detections((0.1, 0.2, 0.2, 0.1)), TINY, picture, (6, 6))
    assert cut.shape == (1, 6, 6, 3)
    assert (cut.min(), cut.max()) == pytest.approx((-1, 1))


def test_names_and_drops() -> None:
    picture = PICTURE.copy()
    picture[:, 100:150], picture[:, 150:] = 128, 255
    found = detections((0.1, 0.4, 0.1, 0.2), (0.55, 0.4, 0.1, 0.2), (0.8, 0.4, 0.1, 0.2))
    says = {-1.0: [9.0, 0.0, 0.0], 0.0: [0.0, np.log(3), 0.0], 1.0: [0.0, 0.0, 1e4]}
    kept, names = stage(says)(picture, found)
    assert [name.label for name in names] == ["fist", "palm"]
    assert [name.probability for name in names] == pytest.approx([0.6, 1.0])
    np.testing.assert_array_equal(kept.boxes_xywh, found.boxes_xywh[1:])
    assert stage(says, threshold=0.7)(picture, found)[1] == [Named("palm", 1.0)]


def test_score_and_probability_count_together() -> None:
    found = replace(detections((0.1, 0.4, 0.1, 0.2), (0.7, 0.4, 0.1, 0.2)), scores=np.array([0.9, 0.5], np.float32))
    says = {-1.0: [0.0, np.log(3), 0.0]}  # fist, 0.6
    assert len(stage(says, threshold=0.5)(PICTURE, found)[1]) == 1
    assert len(stage(says, threshold=0.25)(PICTURE, found)[1]) == 2


def test_of_two_regions_that_are_the_same_the_surer_one_is_kept() -> None:
    found = replace(
        detections((0.1, 0.4, 0.1, 0.2), (0.11, 0.4, 0.1, 0.2), (0.7, 0.4, 0.1, 0.2)),
        scores=np.array([0.6, 0.9, 0.7], np.float32),
    )
    kept, names = stage({-1.0: [0.0, 1.0, 0.0]})(PICTURE, found)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7])
    assert len(names) == 2


@pytest.mark.parametrize(("threshold", "least"), [(None, 0.5), (0.8, 0.5), (0.3, 0.3)])
def test_a_finder_leaves_to_the_second_stage_what_may_pass(threshold: float | None, least: float) -> None:
    finder = Finder("", lambda _: [], replace(TINY, min_score=0.5))
    assert stage({}, threshold).patient(finder).detector.min_score == least


@pytest.mark.parametrize("nowhere", [(np.nan, 0, 0.1, 0.1), (0, 0, np.inf, 0.1), (0.1, 0.1, 0.0, 0.1)])
def test_what_has_no_place_is_left_out(nowhere: tuple[float, float, float, float]) -> None:
    kept, names = stage({0.0: [0.0, 1.0, 0.0]})(PICTURE, detections(nowhere))
    assert (len(kept), names) == (0, [])
    kept, names = stage({0.0: [0.0, 1.0, 0.0]})(PICTURE, detections())
    assert (len(kept), names) == (0, [])


def classifier(path: Path, labels: Labels | None, size: tuple[int, int] = (8, 8)) -> Path:
    inputs = keras.Input((*size, 3))
    converter.save(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)), path, labels)
    return path


@pytest.mark.parametrize(
    ("labels", "size", "message"),
    [
        (None, (8, 8), "has no labels"),
        (Labels(("a", "b"), detector="tiny"), (8, 8), "has 3 classes, but 2 labels: a, b"),
        (Labels(("a", "b", "c"), detector="palm"), (8, 8), "is for detector 'palm', not 'tiny'"),
        (Labels(("a", "b", "c")), (8, 8), "is for detector '', not 'tiny'"),
        (Labels(("a", "b", "c"), detector="tiny"), (8, 9), "classifies no regions"),
    ],
)
def test_other_models_are_refused(labels: Labels, size: tuple[int, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadDetector, match=message):
        load_second_stage(classifier(tmp_path / "a.keras", labels, size), TINY)


def test_both_kinds_of_file(tmp_path: Path) -> None:
    from converter.write.writer import write

    labels = Labels(("a", "b", "c"), detector="tiny")
    path = classifier(tmp_path / "a.keras", labels)
    (tmp_path / "a.tflite").write_bytes(write(None, converter.load(path)))
    for each in (path, tmp_path / "a.tflite"):
        made = load_second_stage(each, TINY)
        assert (made.size, made.labels) == ((8, 8), labels)
        (named,) = made(PICTURE, detections((0.1, 0.1, 0.2, 0.2)))[1]
        assert named.label == "a"
        assert named.probability == pytest.approx(1 / 3)


def test_detector_is_no_second_stage(tmp_path: Path) -> None:
    b = Builder()
    (tmp_path / "a.tflite").write_bytes(b.build(b.op("RELU", [b.input((1, 8, 8, 3))], [(1, 8, 8, 3)])))
    with pytest.raises(BadDetector, match="expected one square picture, and one logit per class"):
        load_second_stage(tmp_path / "a.tflite", TINY)
    assert region_of(detections((0, 0, 1, 1)), TINY, PICTURE) == Region(100, 50, 300, 300)
