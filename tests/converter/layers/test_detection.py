"""The detection stages as Keras layers: the same as in numpy, and part of a model that is saved with its boxes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter.detectors.letterbox import Padding, letterbox, whole
from converter.detectors.table import find
from fixtures.detection_cases import raw_tensors
from fixtures.pictures import picture
from parity.runners.runtimes import keras_runner
from tests.tools import models
from tests.tools.lazy import keras, own_layers
from unlite.detection.pipeline import Detections, decode, detect, remove_letterbox, sample, suppress

PALM = find("palm")
# Sums in another order, of a few hundred boxes.
CLOSE = 1e-5


def numbers(values: Any) -> list[Any]:
    return [keras.ops.convert_to_numpy(value) for value in values]


@pytest.mark.parametrize("name", ["hand", "tall", "wide", "small_picture", "dark", "face_near"])
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0)])
def test_letterbox_is_the_sampling_of_mediapipe(name: str, value_range: tuple[float, float]) -> None:
    pixels = picture(name)
    region, padding = letterbox(whole(*pixels.shape[:2]), 192, 192)
    layer = own_layers.Letterbox(192, 192, value_range)
    apart = np.abs(keras.ops.convert_to_numpy(layer(pixels[None])) - sample(pixels, region, (192, 192), value_range))
    assert layer.padding(*pixels.shape[:2]) == padding
    level = (value_range[1] - value_range[0]) / 255
    assert apart.max() <= level * 1.001
    # Where a pixel lies right between two 32nds, OpenCV's own rounding decides: the height of `tall` is such.
    assert (apart > level / 2).mean() <= (0.002 if name == "tall" else 0)


@pytest.mark.parametrize("seed", range(12))
def test_decoding_and_suppression_are_those_of_numpy(seed: int) -> None:
    regressors, logits = raw_tensors(seed)
    logits = np.where(np.isnan(logits), np.float32(-100), logits)  # a maximum with NaN differs between back ends
    boxes, points, scores = own_layers.DecodeDetections(PALM)(regressors[None], logits[None])
    made = numbers(own_layers.SuppressDetections(PALM.min_score, max_detections=40)(boxes, points, scores))
    expected = suppress(decode(regressors, logits, PALM), PALM.min_suppression_threshold)
    count = int((made[2][0] > 0).sum())
    assert count == len(expected)
    parts: tuple[Any, ...] = (expected.boxes_xywh, expected.keypoints_xy, expected.scores, expected.classes)
    for values, truth in zip(made, parts, strict=True):
        np.testing.assert_allclose(values[0, :count], truth, atol=CLOSE)
        assert not values[0, count:].any()


def test_many_classes() -> None:
    regressors, logits = raw_tensors(1)
    many = np.concatenate([np.full((len(logits), 2), -90, np.float32), np.nan_to_num(logits, nan=-100)], axis=1)
    made = numbers(own_layers.SuppressDetections(0.5)(*own_layers.DecodeDetections(PALM)(regressors[None], many[None])))
    assert set(made[3][0][made[2][0] > 0].tolist()) == {2}


def test_removing_the_letterbox_is_that_of_numpy() -> None:
    padding = Padding(0.0, 0.1875, 0.0, 0.1875)
    found = suppress(decode(*raw_tensors(2), PALM), 0.3)
    made = numbers(own_layers.RemoveLetterbox(padding)(found.boxes_xywh[None], found.keypoints_xy[None]))
    expected = remove_letterbox(found, padding)
    np.testing.assert_allclose(made[0][0], expected.boxes_xywh, atol=1e-6)
    np.testing.assert_allclose(made[1][0], expected.keypoints_xy, atol=1e-6)


def test_model_with_boxes_as_outputs(tmp_path: Path) -> None:
    """From the pixels of a picture to detections in it, in one file."""
    pixels = picture("wide")
    detector = models.shared("palm_detection_full")
    inputs = keras.Input(pixels.shape)
    fit = own_layers.Letterbox(PALM.height, PALM.width, PALM.range)
    boxes, points, scores = own_layers.DecodeDetections(PALM)(*detector(fit(inputs)))
    boxes, points, scores, classes = own_layers.SuppressDetections(PALM.min_score)(boxes, points, scores)
    placed = own_layers.RemoveLetterbox(fit.padding(*pixels.shape[:2]))(boxes, points)
    converter.save(keras.Model(inputs, [*placed, scores, classes]), tmp_path / "whole.keras")
    model = converter.load(tmp_path / "whole.keras")
    made = [values[0] for values in keras_runner(model)([pixels[None].astype(np.float32)])]
    expected = detect(keras_runner(detector), PALM, pixels).final
    assert len(expected) == 1
    found = Detections(made[0][:1], made[1][:1], made[2][:1], made[3][:1].astype(np.intp))
    for name in ("boxes_xywh", "keypoints_xy", "scores", "classes"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=CLOSE)
