"""Pictures and arrays become inputs of a model, one call each."""

from pathlib import Path

import numpy as np
import pytest

import converter
from converter import detectors
from converter.errors import BadInput, BadPicture
from fixtures.builder import Builder
from parity.runners.runtimes import LiteRT
from tests.tools import models
from tests.tools.files import siblings_file
from unlite.detection.drawn import DrawnHand, draw
from unlite.detection.finder import Finder
from unlite.detection.images import load_representative
from unlite.detection.pipeline import detect

PALM = "palm_detection_lite"
SIBLINGS = converter.read(siblings_file("left", "right"))  # takes 1×8×8×3


def test_folder_of_pictures(tmp_path: Path) -> None:
    palm = models.original(PALM)
    finder = Finder("", LiteRT(palm.data, "xnnpack").run, detectors.find("palm"))
    pictures = [draw(120, width, (DrawnHand(0.5),)) for width in (90, 200)]
    for name, picture in zip(("b.png", "a.BMP"), pictures, strict=True):
        picture.save(tmp_path / name)
    (tmp_path / "labels.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    made = load_representative(tmp_path, palm.graph)
    assert [len(arrays) for arrays in made] == [1, 1]
    for (array,), picture in zip(made, pictures[::-1], strict=True):  # by name
        np.testing.assert_array_equal(array, detect(finder.run, finder.detector, np.asarray(picture)).tensor)


def test_rows_of_an_array(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3)).astype(np.uint8)
    np.save(tmp_path / "rows.npy", rows)
    made = load_representative(tmp_path / "rows.npy", SIBLINGS.graph)
    assert [(arrays[0].shape, str(arrays[0].dtype)) for arrays in made] == [((1, 8, 8, 3), "float32")] * 3
    np.testing.assert_array_equal(np.concatenate([arrays[0] for arrays in made]), rows)
    np.save(tmp_path / "one.npy", rows[0])
    assert len(load_representative(tmp_path / "one.npy", SIBLINGS.graph)) == 1


def test_several_inputs(tmp_path: Path) -> None:
    b = Builder()
    both = [b.input((1, 4), "left"), b.input((1, 4), "right")]
    graph = converter.read(b.build(b.op("ADD", both, [(1, 4)], ["total"]))).graph
    left, right = np.arange(12, dtype=np.float32).reshape(3, 4), np.ones((3, 4), np.float32)
    np.savez(tmp_path / "both.npz", right=right, left=left)
    made = load_representative(tmp_path / "both.npz", graph)
    assert len(made) == 3
    for row, (a, b_) in enumerate(made):
        np.testing.assert_array_equal(a, left[row : row + 1])
        np.testing.assert_array_equal(b_, right[:1])
    np.savez(tmp_path / "uneven.npz", left=left, right=right[:2])
    with pytest.raises(BadInput, match=r"\(3, 4\), \(2, 4\)"):
        load_representative(tmp_path / "uneven.npz", graph)
    np.savez(tmp_path / "alone.npz", left=left)
    with pytest.raises(BadInput, match="the model takes tensor #0 'left' N×4, tensor #1 'right' N×4"):
        load_representative(tmp_path / "alone.npz", graph)


@pytest.mark.parametrize("shape", [(3, 8, 9, 3), (8, 8), (3, 8, 8, 3, 1), ()])
def test_other_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros(shape, np.float32))
    with pytest.raises(BadInput, match="the model takes tensor #0 'input' N×8×8×3"):
        load_representative(tmp_path / "rows.npy", SIBLINGS.graph)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no pictures"):
        load_representative(tmp_path, models.original(PALM).graph)
    np.save(tmp_path / "rows.npy", np.zeros((0, 8, 8, 3), np.float32))
    with pytest.raises(BadInput, match="is empty"):
        load_representative(tmp_path / "rows.npy", SIBLINGS.graph)
    with pytest.raises(BadInput, match=r"missing\.npy"):
        load_representative(tmp_path / "missing.npy", SIBLINGS.graph)


def test_pictures_for_what_is_no_detector(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no detector that is known.*\nhint: save what it takes with numpy.save"):
        load_representative(tmp_path, SIBLINGS.graph)


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    draw(64, 64).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    with pytest.raises(BadPicture, match=r"b\.png"):
        load_representative(tmp_path, models.original(PALM).graph)
