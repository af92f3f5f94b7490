"""What is not worth keeping: blurred pictures and near-copies, and above all what is kept."""

import io
from itertools import islice

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tests.tools.films import film
from tests.tools.staged import jpeg
from unlite.collecting.gates import ENOUGH, Copies, Sharpness
from unlite.detection.pipeline import Detections

pytestmark = pytest.mark.one_setting

SIZE = (240, 320)


def hand(*box: float) -> Detections:
    return Detections(
        np.array([box], np.float32), np.zeros((1, 7, 2), np.float32), np.ones(1, np.float32), np.zeros(1, np.intp)
    )


WHOLE = hand(0.2, 0.2, 0.6, 0.6)


def moved(picture: Image.Image, pixels: int) -> Image.Image:
    """As the camera has it if what is shown moves by so many pixels while it is taken."""
    frames = [np.roll(np.asarray(picture, np.float32), shift, axis=1) for shift in range(pixels)]
    return Image.fromarray(np.mean(frames, axis=0).astype(np.uint8))


def measured(sharpness: Sharpness, pictures: list[Image.Image], found: Detections = WHOLE) -> list[bool]:
    return [sharpness.is_blurred(np.asarray(picture), found) for picture in pictures]


@pytest.mark.parametrize("gesture", ["fist", "open"])
def test_blurred_frames_among_sharp_ones_are_told(gesture: str) -> None:
    frames = list(film(gesture, 16, size=SIZE))
    sharpness = Sharpness()
    assert not any(measured(sharpness, frames))
    assert all(measured(sharpness, [moved(frame, 40) for frame in frames[:3]]))
    assert not any(measured(sharpness, frames[:3]))


def test_little_movement_is_kept() -> None:
    frames = list(film("fist", 16, size=SIZE))
    assert not any(measured(Sharpness(), [*frames[:8], *(moved(frame, 3) for frame in frames[8:])]))


def test_nothing_is_compared_before_there_is_enough_to_compare_with() -> None:
    blurred = [moved(frame, 25) for frame in film("fist", ENOUGH, size=SIZE)]
    assert not any(measured(Sharpness(), blurred))


def test_what_is_nothing_but_blur_is_dropped_from_the_beginning() -> None:
    (frame,) = film("fist", 1, size=SIZE)
    assert measured(Sharpness(), [frame.filter(ImageFilter.GaussianBlur(24))]) == [True]


def test_only_what_was_found_counts() -> None:
    """A hand before a blurred room is sharp."""
    frames = list(film("fist", 12, size=SIZE))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    room = [frame.filter(ImageFilter.GaussianBlur(12)) for frame in frames]
    for frame in room:
        frame.paste(noise.crop((0, 0, 80, 80)), (200, 120))
    assert not any(measured(Sharpness(), room, hand(200 / 320, 0.5, 0.25, 1 / 3)))


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.0, 0.0), (-3, -3, 1, 1), (0.9, 0.9, 5, 5), (0.5, 0.5, 1e-9, 1e-9)])
def test_boxes_beyond_the_picture_and_pictures_of_one_colour_are_no_trouble(box: tuple[float, ...]) -> None:
    grey = Image.new("RGB", (64, 48), (90, 90, 90))
    assert measured(Sharpness(), [grey] * 8, hand(*box)) == [False] * 8


def encoded(picture: Image.Image, quality: int = 90) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=quality)
    return made.getvalue()


def is_copy(one: bytes, other: bytes) -> bool:
    copies = Copies()
    copies.remember(1, copies.look(one))
    return copies.has(copies.look(other), [1])


def test_same_frame_again_is_a_copy() -> None:
    (frame,) = film("fist", 1)
    for again in (
        frame,
        frame.resize((320, 240)),
        ImageEnhance.Brightness(frame).enhance(1.1),
        frame.crop((3, 3, 637, 477)),
    ):
        assert is_copy(encoded(frame), encoded(again, 60))


def test_hand_that_has_moved_on_is_no_copy() -> None:
    first, later = islice(film("fist", 31), 0, None, 30)
    assert not is_copy(encoded(first), encoded(later))
    assert not is_copy(jpeg(1, 0.9), jpeg(2, 0.9))


def test_only_those_that_are_asked_about_count() -> None:
    copies = Copies()
    copies.remember(1, copies.look(jpeg(1)))
    assert copies.knows(1)
    assert not copies.has(copies.look(jpeg(1)), [2])
    assert copies.look(b"broken") is None
    assert not copies.has(None, [1])
