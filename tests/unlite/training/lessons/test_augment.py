"""Variations of pictures: the same ones for the same seed, and what is labelled moves with what is seen."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converter.detectors.table import find
from tests.tools.commands import process
from unlite.detection.pipeline import Floats
from unlite.training.lessons.augment import Augmentation, Augmenter, as_it_is, drawn, mirrored
from unlite.training.lessons.targets import IGNORED, Objects

pytestmark = pytest.mark.one_setting

PALM, FACE = find("palm"), find("face short range")
RED, GREEN, GREY = (250, 20, 20), (20, 250, 20), (90, 90, 90)
# No change but the place.
GEOMETRY = Augmentation(light=0, colour=0, blur=0, plain=0, background=0)
STILL = replace(GEOMETRY, scale=(0.5, 0.5), shift=0, degrees=0, flip=0)


def objects_of(box: tuple[float, float, float, float], keypoints: Any) -> Objects:
    points = np.array(keypoints, np.float32)[None]
    return Objects(np.array([box], np.float32), np.array([1], np.intp), points)


def picture(height: int = 300, width: int = 200) -> tuple[NDArray[np.uint8], Objects]:
    """A red disc in a box, and a green spot to its right, which is the first keypoint."""
    made = np.full((height, width, 3), GREY, np.uint8)
    y, x = np.mgrid[:height, :width]
    made[(y - 140) ** 2 + (x - 90) ** 2 <= 30**2] = RED
    made[(y - 140) ** 2 + (x - 140) ** 2 <= 6**2] = GREEN
    box = (60 / width, 110 / height, 60 / width, 60 / height)
    keypoints = np.full((len(PALM.keypoints), 2), (90 / width, 140 / height))
    keypoints[0] = (140 / width, 140 / height)
    return made, objects_of(box, keypoints)


def where(tensor: Floats, colour: tuple[int, int, int]) -> tuple[Floats, Floats]:
    """Middle, and extent, of what has a colour, as shares."""
    close = np.abs(tensor[0] * 255 - np.array(colour)).max(axis=2) < 60
    y, x = np.nonzero(close)
    size = np.array(close.shape[::-1])
    points = np.stack([x, y], axis=1) + 0.5
    return points.mean(axis=0) / size, (np.ptp(points, axis=0) + 1) / size


@pytest.mark.parametrize("size", [(192, 192), (128, 256), (256, 128)])
def test_labels_follow_the_pixels(size: tuple[int, int]) -> None:
    detector = replace(PALM, height=size[0], width=size[1])
    augmenter, seen = Augmenter(detector, GEOMETRY), 0
    pixels, objects = picture()
    near = 2 / min(size)
    for seed in range(40):
        made = augmenter(pixels, objects, (0, seed))
        assert made.tensor.shape == (1, *size, 3)
        box, keypoints = made.objects.boxes_xywh[0], made.objects.keypoints_xy[0]
        if (box[:2] < 0.02).any() or (box[:2] + box[2:] > 0.98).any() or (abs(keypoints[0] - 0.5) > 0.45).any():
            continue  # partly out of sight
        middle, extent = where(made.tensor, RED)
        np.testing.assert_allclose(box[:2] + box[2:] / 2, middle, atol=near)
        np.testing.assert_allclose(box[2:], extent, atol=2 * near)
        np.testing.assert_allclose(keypoints[0], where(made.tensor, GREEN)[0], atol=near)
        np.testing.assert_allclose(keypoints[1], middle, atol=near)
        seen += 1
    assert seen > 15


def test_as_it_is_too() -> None:
    pixels, objects = picture()
    made = as_it_is(pixels, objects, PALM)
    middle, extent = where(made.tensor, RED)
    box = made.objects.boxes_xywh[0]
    np.testing.assert_allclose(box[:2] + box[2:] / 2, middle, atol=0.01)
    np.testing.assert_allclose(box[2:], extent, atol=0.02)
    np.testing.assert_allclose(made.objects.keypoints_xy[0, 0], where(made.tensor, GREEN)[0], atol=0.01)


def test_pictures_keep_their_shape() -> None:
    """What is turned and scaled is not stretched."""
    augmenter = Augmenter(PALM, replace(GEOMETRY, degrees=0))
    sides = [augmenter(*picture(), (0, seed)).objects.boxes_xywh[0, 2:] for seed in range(20)]
    np.testing.assert_allclose([side[0] / side[1] for side in sides], 1, rtol=1e-3)
    lengths = [side[0] for side in sides]
    assert max(lengths) > 1.5 * min(lengths)


def test_a_mirror_swaps_left_and_right() -> None:
    names = list(FACE.keypoints)
    right, left = names.index("right eye"), names.index("left eye")
    assert mirrored(names)[right] == left
    assert mirrored(names)[names.index("nose")] == names.index("nose")
    assert mirrored(PALM.keypoints) == list(range(7))
    points = np.linspace(0.3, 0.6, 2 * len(names)).reshape(-1, 2)
    pixels, objects = np.zeros((100, 100, 3), np.uint8), objects_of((0.3, 0.3, 0.3, 0.3), points)
    made = [Augmenter(FACE, replace(STILL, flip=flip))(pixels, objects, (0, 0)).objects for flip in (0, 1)]
    np.testing.assert_allclose(made[1].keypoints_xy[0, left, 0], 1 - made[0].keypoints_xy[0, right, 0], atol=0.01)
    np.testing.assert_allclose(made[1].keypoints_xy[0, left, 1], made[0].keypoints_xy[0, right, 1], atol=0.01)


def test_the_same_seed_the_same_picture() -> None:
    pixels, objects = picture()

    def blue(share: float) -> NDArray[np.uint8]:
        return np.full((50, 50, 3), (0, 0, int(255 * share)), np.uint8)

    augmenter = Augmenter(PALM, Augmentation(), blue)

    def made(number: int) -> tuple[bytes, bytes]:
        seen = augmenter(pixels, objects, (3, number))
        return seen.tensor.tobytes(), seen.objects.boxes_xywh.tobytes()

    numbers = list(range(24))
    right = [made(number) for number in numbers]
    assert len(set(right)) == len(numbers)
    assert [made(number) for number in reversed(numbers)] == right[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(made, numbers)) == right
    other = Augmenter(PALM, Augmentation(), blue)
    assert [x.tobytes() for x in (other(pixels, objects, (3, 5)).tensor,)] == [right[5][0]]
    assert other(pixels, objects, (4, 5)).tensor.tobytes() != right[5][0]


def test_changes_do_not_depend_on_each_other() -> None:
    """Each has dice of its own: some are blurred and not mirrored, some mirrored and not blurred."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[::2] = 255
    objects = objects_of((0.2, 0.2, 0.2, 0.2), np.full((7, 2), 0.3))
    augmenter = Augmenter(PALM, replace(STILL, scale=(1, 1), flip=0.5, blur=0.5))
    seen = [augmenter(pixels, objects, (0, seed)) for seed in range(40)]
    sharpest = max(each.tensor.std() for each in seen)
    kinds = {(bool(each.objects.boxes_xywh[0, 0] > 0.5), bool(each.tensor.std() < sharpest)) for each in seen}
    assert len(kinds) == 4


@pytest.mark.parametrize(
    ("kind", "outside"), [("plain", {GREY}), ("background", {(0, 0, 200)}), ("neither", {(250, 20, 20)})]
)
def test_what_lies_around_a_smaller_picture(kind: str, outside: set[tuple[int, int, int]]) -> None:
    pixels = np.full((100, 100, 3), GREY, np.uint8)
    pixels[40:60, 0] = RED  # its edge, repeated, would be a red stripe
    settings = replace(STILL, plain=float(kind == "plain"), background=float(kind == "background"))
    augmenter = Augmenter(PALM, settings, lambda _: np.full((9, 9, 3), (0, 0, 200), np.uint8))
    objects = objects_of((0.2, 0.2, 0.2, 0.2), np.full((7, 2), 0.3))
    seen = [augmenter(pixels, objects, (0, seed)).tensor[0] * 255 for seed in range(8)]
    edges = {tuple(each[96, 5].round().astype(int).tolist()) for each in seen}
    assert edges >= outside
    assert (kind == "background") or edges == outside  # blotches, sometimes
    for each in seen:
        np.testing.assert_allclose(each[96, 96], GREY, atol=1)


def test_pictures_without_objects_and_unknown_keypoints() -> None:
    empty = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.intp), np.zeros((0, 7, 2), np.float32))
    augmenter = Augmenter(PALM, Augmentation())
    assert len(augmenter(picture()[0], empty, (0, 0)).objects) == 0
    pixels, objects = picture()
    objects.keypoints_xy[0, 3] = np.nan
    made = augmenter(pixels, objects, (0, 0)).objects
    assert np.isnan(made.keypoints_xy[0, 3]).all()
    assert np.isfinite(made.keypoints_xy[0, [0, 1, 2, 4, 5, 6]]).all()


def test_can_be_looked_at() -> None:
    pixels, objects = picture()
    ignored = replace(objects, classes=np.array([IGNORED], np.intp))
    for each in (objects, ignored):
        image = drawn(as_it_is(pixels, each, PALM), PALM, ["fist", "ok"])
        assert image.size[0] >= PALM.width


def test_nothing_leaves_the_machine() -> None:
    code = """
import socket
def refuse(*_, **__):
    raise SystemExit("somebody wants to talk to another machine")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from converter.detectors.table import find
from unlite.training.lessons.augment import Augmentation, Augmenter
Augmenter(find("palm"), Augmentation())
"""
    made = process(code=code, NO_ALBUMENTATIONS_UPDATE="0")
    assert (made.returncode, made.stderr) == (0, "")
