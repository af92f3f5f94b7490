"""Every stage of our pipeline, with the converted Keras models, against what MediaPipe 0.10.21 computed."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converter.detectors.letterbox import Region, letterbox, whole
from converter.detectors.table import anchors, find
from fixtures.detection_cases import HANDS, MODELS, RANDOM, STEP, asked, detector_of, digest, raw_tensors, rows, split
from fixtures.make_golden import FOLDER
from fixtures.pictures import NAMES, picture
from parity.outputs.compare import RELATIVE, SPREADS
from parity.runners.runtimes import Run, keras_runner
from tests.tools import models
from unlite.detection.landmarks import PRESENT, Hand, find_landmarks, hand_region, hands_of
from unlite.detection.pipeline import Pixels, Trace, decode, detect, regressors_and_logits, suppress

# Boxes, keypoints and scores: as a share of the picture. MediaPipe's own two kernel sets are up to 2.2e-6 apart.
CLOSE = 1e-5
# Landmarks, as a share of the crop, from the same region. MediaPipe's two kernel sets are up to 1.5e-5 of the outputs'
# range apart there.
CLOSE_IN_CROP = 1e-4
# Which hand a drawing is, the model is not sure: on the steep part of the sigmoid the logit's error counts most.
CLOSE_HANDEDNESS = 1e-3
# From our own palm instead, whose region may be off by a millionth: sampling then takes other 32nds of a pixel.
CLOSE_AFTER_PALM = 2e-3


@cache
def golden() -> dict[str, NDArray[Any]]:
    with np.load(FOLDER / "detection.npz") as stored:
        return dict(stored)


@cache
def run_of(name: str) -> Run:
    return keras_runner(models.shared(name))


@cache
def trace(model: str, name: str) -> Trace:
    return detect(run_of(model), detector_of(model), picture(name))


def test_mediapipe_was_asked_this() -> None:
    """Else: `python -m fixtures.make_golden` in the environment of `tox -e mediapipe`."""
    np.testing.assert_array_equal(asked(), golden()["asked"])


@pytest.mark.parametrize("model", MODELS)
def test_anchors_are_identical(model: str) -> None:
    np.testing.assert_array_equal(anchors(detector_of(model)), golden()[f"{model}/anchors"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_padding_and_input_tensor_are_identical(model: str, name: str) -> None:
    detector, place = detector_of(model), NAMES.index(name)
    padding = letterbox(whole(*picture(name).shape[:2]), detector.height, detector.width)[1]
    np.testing.assert_array_equal(np.array(padding, np.float32), golden()[f"{model}/padding"][place])
    np.testing.assert_array_equal(digest(trace(model, name).tensor), golden()[f"{model}/tensor"][place])


@pytest.mark.parametrize("model", MODELS)
def test_raw_tensors_are_within_the_tolerance_of_convert(model: str) -> None:
    """Every so many anchors; all of them are compared with MediaPipe itself in `test_mediapipe`."""
    stored = golden()
    for place, name in enumerate(NAMES):
        raw = regressors_and_logits(trace(model, name).raw, detector_of(model))
        for part, values in zip(("regressors", "logits"), raw, strict=True):
            spread, span = stored[f"{model}/{part}_spread"][place], stored[f"{model}/{part}_span"][place]
            error = np.abs(values[::STEP] - stored[f"{model}/{part}"][place]).max()
            assert error <= max(SPREADS * spread, RELATIVE * span), (name, part)


def is_close(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return found.shape == expected.shape and bool(np.abs(found - expected).max(initial=0) <= CLOSE)


@pytest.mark.parametrize("stage", ["decoded", "suppressed", "final"])
@pytest.mark.parametrize("model", MODELS)
def test_detections_are_the_same(model: str, stage: str) -> None:
    for name, expected in zip(NAMES, split(golden(), f"{model}/{stage}"), strict=True):
        assert is_close(rows(getattr(trace(model, name), stage)), expected), name


def test_pictures_have_what_they_should_have() -> None:
    """Near and far, turned, none and two: else the tests above compare nothing."""
    counts = {
        model: dict(zip(NAMES, golden()[f"{model}/final_count"].tolist(), strict=True))
        for model in ("palm_detection_lite", "palm_detection_full", "face_detection_short_range")
    }
    assert counts["palm_detection_lite"]["two_hands"] == counts["palm_detection_full"]["two_turned"] == 2
    assert counts["palm_detection_full"]["none"] == 0
    assert sum(counts["palm_detection_full"].values()) >= 15
    assert counts["face_detection_short_range"]["face"] == 1
    assert all(golden()[f"{model}/final_count"].any() for model in MODELS)


@pytest.mark.parametrize("seed", RANDOM)
def test_suppression_of_random_boxes_is_the_same(seed: int) -> None:
    found = suppress(decode(*raw_tensors(seed), find("palm")), find("palm").min_suppression_threshold)
    # Bit for bit on the CPU that made the golden file; another C library may round exp otherwise.
    np.testing.assert_allclose(rows(found), split(golden(), "random")[seed], rtol=1e-6, atol=1e-6)


def in_crop(hand: Hand, landmarks: NDArray[Any], pixels: Pixels) -> float:
    """The largest distance of a coordinate, as a share of the crop's side."""
    height, width = pixels.shape[:2]
    apart = np.abs(hand.landmarks_xyz - landmarks) * (width, height, width)
    return float(apart.max() / hand.region.width)


@pytest.mark.parametrize("complexity", range(len(HANDS)))
def test_hands_are_the_same(complexity: int) -> None:
    palm_model, hand_model = HANDS[complexity]
    stored, run = golden(), run_of(hand_model)
    parts = [split(stored, f"hands/{complexity}/{part}") for part in ("regions", "landmarks_xyz", "handedness")]
    for name, regions, landmarks, handedness in zip(NAMES, *parts, strict=True):
        pixels = picture(name)
        height, width = pixels.shape[:2]
        scale = np.array([width, height, width, height], np.float32)
        seen = [Region(*map(float, (*(row[:4] * scale), row[4]))) for row in regions]
        given = [hand for hand in (find_landmarks(run, pixels, region) for region in seen) if hand.presence >= PRESENT]
        palms = trace(palm_model, name).final
        own = list(hands_of(run, pixels, palms).values())
        assert len(given) == len(own) == len(landmarks), name
        assert [hand_region(palms[row : row + 1], pixels).rotation for row in range(len(palms))] == pytest.approx(
            [region.rotation for region in seen], abs=1e-4
        )
        for first, second, points, side in zip(given, own, landmarks, handedness, strict=True):
            assert in_crop(first, points, pixels) <= CLOSE_IN_CROP, name
            assert in_crop(second, points, pixels) <= CLOSE_AFTER_PALM, name
            assert abs(first.handedness - side) <= CLOSE_HANDEDNESS, name


def half_pixel(pixels: Pixels) -> Any:
    """The mistake that people make: resizing as TensorFlow does."""
    import cv2

    return cv2.resize(pixels, (192, 192)).astype(np.float32)[None] / np.float32(255)


def test_the_stages_tests_can_fail() -> None:
    name, model = "hand", "palm_detection_full"
    found, place = trace(model, name), NAMES.index(name)
    assert not np.array_equal(digest(half_pixel(picture(name))), golden()[f"{model}/tensor"][place])
    expected = split(golden(), f"{model}/decoded")[place]
    assert is_close(rows(found.decoded), expected)
    for wrong in (expected + 2 * CLOSE, expected[:-1], expected * np.nan):
        assert not is_close(rows(found.decoded), wrong)
