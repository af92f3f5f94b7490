"""Pictures that are nearly the same, and others that are not."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from unlite.detection.drawn import DrawnHand, draw
from unlite.training.data import Annotation, Example, near_copies

pytestmark = pytest.mark.one_setting

if TYPE_CHECKING:
    from PIL.Image import Image


def hands(count: int, seed: int = 0) -> list[DrawnHand]:
    chance = Random(seed)  # noqa: S311 - nothing is secret
    return [
        DrawnHand(
            chance.uniform(0.25, 0.6), (chance.uniform(0.35, 0.65), chance.uniform(0.35, 0.65)), chance.uniform(-40, 40)
        )
        for _ in range(count)
    ]


def saved(path: Path, picture: "Image", **settings: Any) -> Example:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **settings)
    return Example(path)


def scaled(by: float) -> Callable[["Image"], "Image"]:
    return lambda picture: picture.resize((round(picture.width * by), round(picture.height * by)))


def brighter(by: float) -> Callable[["Image"], "Image"]:
    return lambda picture: picture.point(lambda value: min(255, value * by))


@pytest.mark.parametrize(
    ("name", "change", "settings"),
    [
        ("again.jpg", lambda picture: picture, {"quality": 40}),
        ("again.png", lambda picture: picture.convert("RGBA"), {}),
        ("again.webp", lambda picture: picture, {"quality": 60}),
        ("smaller.jpg", scaled(0.5), {"quality": 80}),
        ("larger.jpg", scaled(5), {"quality": 80}),
        ("brighter.jpg", brighter(1.15), {"quality": 80}),
        ("darker.jpg", brighter(0.85), {"quality": 80}),
    ],
)
def test_copies_are_found_among_others(
    tmp_path: Path, name: str, change: Callable[["Image"], "Image"], settings: dict[str, int]
) -> None:
    pictures = [draw(160, 200, (hand,)) for hand in hands(8)]
    examples = [saved(tmp_path / f"{n}.png", picture) for n, picture in enumerate(pictures)]
    assert near_copies(examples) == ()
    assert near_copies([*examples, saved(tmp_path / name, change(pictures[3]), **settings)]) == ((3, 8),)


def test_consecutive_frames_hang_together(tmp_path: Path) -> None:
    """Although the first and the last differ as much as others do."""
    frames = [draw(128, 128, (DrawnHand(0.4, (0.45 + step / 150, 0.5), step),)) for step in range(12)]
    examples = [saved(tmp_path / f"{n}.jpg", picture, quality=90) for n, picture in enumerate(frames)]
    assert near_copies([examples[0], examples[-1]]) == ()
    assert near_copies(examples) == (tuple(range(12)),)


def test_what_they_are_labelled_does_not_matter(tmp_path: Path) -> None:
    picture = draw(96, 96)
    one, two = (saved(tmp_path / f"{name}.png", picture) for name in "ab")
    labelled = [Example(one.path, (Annotation("fist"),), "train"), Example(two.path, (Annotation("palm"),), "val")]
    assert near_copies(labelled) == ((0, 1),)


def test_plain_pictures_are_copies_if_their_colour_is_the_same(tmp_path: Path) -> None:
    colours = ((200, 200, 200), (40, 60, 60), (205, 195, 200))
    examples = [saved(tmp_path / f"{n}.png", draw(64, 64, (), colour)) for n, colour in enumerate(colours)]
    assert near_copies(examples) == ((0, 2),)


def test_a_picture_that_was_turned_by_its_exif_data_is_a_copy(tmp_path: Path) -> None:
    from PIL import Image

    picture = draw(100, 140)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = tmp_path / "turned.jpg"
    picture.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    assert near_copies([saved(tmp_path / "a.png", picture), Example(turned)]) == ((0, 1),)


def test_files_that_cannot_be_read_are_nobodys_copy(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert near_copies([Example(tmp_path / "broken.png"), Example(tmp_path / "gone.png")] * 2) == ()
    assert near_copies([]) == ()
