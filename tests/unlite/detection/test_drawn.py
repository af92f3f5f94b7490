"""Hands drawn by code: what they look like to MediaPipe's palm detector, and where they are."""

import hashlib
from functools import cache

import numpy as np
import pytest

from converter import detectors
from tests.tools import models
from unlite.detection.drawn import KEYPOINTS, DrawnHand, HandPlace, Person, draw, locate
from unlite.detection.finder import Finder, load_finder
from unlite.detection.gestures import GESTURES
from unlite.detection.pipeline import Floats, Pixels, intersection_over_union

pytestmark = pytest.mark.one_setting

# Golden files and benchmarks depend on every pixel of a plain call.
PLAIN = "b9fcf82633b3400c1c3b73c4cbd5b2d4444723b232f68e2459ce3899499c91c0"
SIZE, SCALES, DEGREES = 192, (0.35, 0.5, 0.65), (-30, 0, 30)
TONES = ((241, 204, 180), (191, 140, 126), (101, 66, 51))
ROOMS = ((255, 255, 255), (120, 140, 120), (60, 60, 70))
# Intersection over union with what is found: of all but `MISSED` of a gesture's drawings, and the median.
NEAR, MISSED, ON_THE_PALM = 0.4, 1, 0.7


@cache
def palm_detector() -> Finder:
    return load_finder(models.path("palm_detection_full"))


def drawings(gesture: str) -> list[DrawnHand]:
    """One of each scale and skin; mirrored, turned and bare in turn."""
    return [
        DrawnHand(
            scale,
            (0.5, 0.53),
            DEGREES[(row + column) % 3],
            gesture,
            (row + column) % 2 == 1,
            Person(skin, shading=0.12, sleeve=(60, 90, 150) if row else None),
        )
        for row, scale in enumerate(SCALES)
        for column, skin in enumerate(TONES)
    ]


def overlap_with_found(picture: Pixels, place: HandPlace) -> float:
    return float(intersection_over_union(corners(place.palm_xywh), palm_detector()(picture).corners()).max(initial=0))


def corners(xywh: Floats) -> Floats:
    return np.concatenate([xywh[:2], xywh[:2] + xywh[2:]])


def test_plain_call_draws_what_it_always_drew() -> None:
    assert hashlib.sha256(draw().tobytes()).hexdigest() == PLAIN
    assert hashlib.sha256(draw(hands=[DrawnHand(gesture="fist")]).tobytes()).hexdigest() != PLAIN


@pytest.mark.parametrize("gesture", GESTURES)
def test_detector_finds_every_gesture_where_it_is(gesture: str) -> None:
    overlaps = [
        overlap_with_found(
            np.asarray(draw(SIZE, SIZE, [hand], ROOMS[number % len(ROOMS)])),
            locate(hand, SIZE, SIZE),
        )
        for number, hand in enumerate(drawings(gesture))
    ]
    assert sum(overlap < NEAR for overlap in overlaps) <= MISSED, overlaps
    assert np.median(overlaps) >= ON_THE_PALM


def test_flat_hand_that_fills_the_picture_is_not_found() -> None:
    """What shading is for; and that the test above can fail."""
    hand = DrawnHand(0.65, (0.5, 0.53), gesture="three")
    assert overlap_with_found(np.asarray(draw(SIZE, SIZE, [hand])), locate(hand, SIZE, SIZE)) < NEAR


def test_keypoints_are_the_detectors() -> None:
    hand = DrawnHand(0.4, (0.5, 0.53), person=Person(shading=0.12))
    found = palm_detector()(np.asarray(draw(SIZE, SIZE, [hand])))
    assert len(KEYPOINTS) == len(detectors.find("palm").keypoints)
    assert np.abs(found.keypoints_xy[0] - locate(hand, SIZE, SIZE).keypoints_xy).max() < 0.1 * hand.scale


@pytest.mark.parametrize("gesture", GESTURES)
def test_gestures_are_different_pictures(gesture: str) -> None:
    mine = np.asarray(draw(64, 64, [DrawnHand(0.7, (0.5, 0.5), 0, gesture)]), int)
    others = [np.asarray(draw(64, 64, [DrawnHand(0.7, (0.5, 0.5), 0, other)]), int) for other in GESTURES]
    assert sorted(np.abs(mine - other).mean() > 1 for other in others) == [False] + [True] * (len(GESTURES) - 1)


@pytest.mark.parametrize("gesture", GESTURES)
@pytest.mark.parametrize("degrees", [0.0, 35.0])
def test_mirrored_hand_is_the_mirrored_picture(gesture: str, degrees: float) -> None:
    person = Person(aspect=1.1, length=0.9, shading=0.1)
    size, scale = (96, 128), 0.7
    hand = DrawnHand(scale, (0.4, 0.5), degrees, gesture, person=person)
    other = DrawnHand(scale, (0.6, 0.5), -degrees, gesture, is_mirrored=True, person=person)
    pixels, mirrored = (np.asarray(draw(*size, [each]), int) for each in (hand, other))
    assert np.abs(pixels - mirrored[:, ::-1]).mean() < 1  # Pillow's polygons are no mirror images to the pixel
    place, place_of_other = locate(hand, *size), locate(other, *size)
    for name in ("palm_xywh", "hand_xywh"):
        (left, top, width, height), found = getattr(place, name), getattr(place_of_other, name)
        np.testing.assert_allclose(found, [1 - left - width, top, width, height], atol=1e-5)
    np.testing.assert_allclose(place_of_other.keypoints_xy, np.abs(place.keypoints_xy - [1, 0]), atol=1e-5)


@pytest.mark.parametrize("gesture", GESTURES)
def test_hand_box_goes_round_the_hand(gesture: str) -> None:
    """Measured in pixels of the hand, whose arm begins at the wrist and is cut off."""
    hand = DrawnHand(0.6, (0.5, 0.5), -GESTURES[gesture].turn, gesture, person=Person(shading=0.1))
    pixels = np.asarray(draw(400, 400, [hand], (255, 255, 255)), int)
    left, top, width, height = (400 * locate(hand, 400, 400).hand_xywh).tolist()
    rows, columns = np.nonzero(np.abs(pixels - 255).sum(axis=2)[: round(top + height)] > 60)
    measured = [columns.min(), rows.min(), columns.max() + 1]
    np.testing.assert_allclose(measured, [left, top, left + width], atol=4)


def test_the_last_hand_is_in_front_and_backgrounds_are_pictures() -> None:
    first, second = (DrawnHand(0.8, (0.5, 0.5), person=Person(skin)) for skin in ((200, 0, 0), (0, 0, 200)))
    room = draw(30, 40, [], (10, 20, 30))
    pixels = np.asarray(draw(60, 80, [first, second], room))
    assert pixels[33, 40, 2] > 190
    assert pixels[0, 0].tolist() == [10, 20, 30]
