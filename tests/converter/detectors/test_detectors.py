"""What a detector's tensors mean, from our table and from one's own."""

from pathlib import Path

import numpy as np
import pytest

from converter.detectors.table import Detector, anchors, find, for_shapes, known
from converter.errors import BadDetector

pytestmark = pytest.mark.one_setting

ROW = """
[[detector]]
name = "mine"
height = 96
width = 128
strides = [8, 16, 16]
interpolated_ratio = 1.0
min_score = 0.4
keypoints = ["nose"]
"""


@pytest.mark.parametrize(
    ("name", "boxes", "coordinates"),
    [
        ("palm", 2016, 18),
        ("face short range", 896, 16),
        ("face full range", 2304, 16),
        ("pose", 2254, 12),
        ("palm 2019", 2944, 18),
    ],
)
def test_known_detectors(name: str, boxes: int, coordinates: int) -> None:
    detector = find(name)
    assert (detector.boxes, detector.coordinates) == (boxes, coordinates)
    assert anchors(detector).shape == (boxes, 2)
    shapes = [(boxes, 1), (boxes, coordinates)]
    assert for_shapes((detector.height, detector.width, 3), shapes) is detector
    assert for_shapes((detector.height, detector.width, 3), shapes[::-1]) is detector


def test_known_detector_at_another_size() -> None:
    made = for_shapes((256, 320, 3), [(256 // 8 * 320 // 8 * 2 + 16 * 20 * 6, 18), (1, 1)])
    assert (made.name, made.height, made.width) == ("palm", 256, 320)


def test_detectors_can_be_told_apart_by_their_shapes() -> None:
    assert len({(d.height, d.width, d.boxes, d.coordinates) for d in known()}) == len(known())


def test_anchors_of_pictures_that_are_not_square() -> None:
    made = anchors(Detector("mine", 16, 24, [8, 16, 16], 1.0, 0.5))  # type: ignore[arg-type]
    # 2×3 cells with two anchors each, then 1×2 cells with four.
    assert len(made) == 2 * 3 * 2 + 1 * 2 * 4
    np.testing.assert_allclose(made[:4], [[1 / 6, 0.25], [1 / 6, 0.25], [0.5, 0.25], [0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(made[-1], [0.75, 0.5])


def test_anchors_are_made_once_and_nobodys_to_change() -> None:
    made = anchors(find("palm"))
    assert anchors(find("palm")) is made
    with pytest.raises(ValueError, match="read-only"):
        made[0] = 0


def test_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(ROW)
    detector = find(str(tmp_path / "mine.toml"))
    assert (detector.name, detector.grids) == ("mine", ((12, 16, 2), (6, 8, 4)))
    assert detector.range == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[detector", "is not valid TOML"),
        ("", "has 0 detectors, expected one"),
        (ROW + ROW, "has 2 detectors, expected one"),
        ("[other]\na = 1", r"expected nothing but \[\[detector\]\] tables"),
        ("detector = 3", r"expected nothing but \[\[detector\]\] tables"),
        (ROW + "colour = 3", "detector 1 does not know colour"),
        (ROW.replace("height = 96", ""), "detector 1 lacks height"),
        (ROW.replace("96", "0"), "height = 0 makes no sense"),
        (ROW.replace("96", "true"), "height = True makes no sense"),
        (ROW.replace("[8, 16, 16]", "[]"), "strides = .* makes no sense"),
        (ROW.replace("[8, 16, 16]", "[8, 0]"), "strides = .* makes no sense"),
        (ROW.replace("0.4", "1.4"), "min_score = 1.4 makes no sense"),
        (ROW.replace("0.4", '"high"'), "min_score = 'high' makes no sense"),
        (ROW + "range = [1.0, 0.0]", "range = .* makes no sense"),
        (ROW.replace('["nose"]', "[3]"), "keypoints = .* makes no sense"),
    ],
)
def test_wrong_table_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadDetector, match=message):
        find(str(tmp_path / "mine.toml"))


def test_unknown_detector_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadDetector, match="known: palm, face short range"):
        find("paw")
    with pytest.raises(BadDetector, match="cannot read"):
        find(str(tmp_path / "none.toml"))
    with pytest.raises(BadDetector, match="no known detector takes 10×10×3 and gives 5×4, 5×1"):
        for_shapes((10, 10, 3), [(5, 4), (5, 1)])
