"""Files of all kinds: the right picture, or a clear error."""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from converter.errors import BadPicture
from fixtures.pictures import picture
from tests.tools.films import write_video
from unlite.detection.images import _seconds, find_sources, frames, load_picture

pytestmark = pytest.mark.one_setting

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
GREY = COLOURS[..., 0]


def saved(folder: Path, image: Image.Image, name: str = "picture.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def test_colours_come_as_they_are(tmp_path: Path) -> None:
    np.testing.assert_array_equal(load_picture(saved(tmp_path, Image.fromarray(COLOURS))), COLOURS)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "I;16"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    levels = np.where(GREY > 128, 255, 0).astype(np.uint8)  # what every mode can hold
    image = Image.fromarray(levels)
    deep = Image.fromarray(levels.astype(np.uint16) * 257)
    image = deep if mode == "I;16" else image.convert(mode, dither=Image.Dither.NONE)
    made = load_picture(saved(tmp_path, image, "picture.tiff"))
    np.testing.assert_array_equal(made, np.repeat(levels[..., None], 3, axis=2))


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    deep = np.array([[0, 128, 257, 32768, 65535]], np.uint16)
    made = load_picture(saved(tmp_path, Image.fromarray(deep)))
    assert made[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_transparency_is_white(tmp_path: Path) -> None:
    clear = np.dstack([COLOURS, np.full(GREY.shape, 255, np.uint8)])
    clear[0, 0] = (10, 20, 30, 0)
    made = load_picture(saved(tmp_path, Image.fromarray(clear)))
    assert made[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(made[1:], COLOURS[1:])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(orientation: int, tmp_path: Path) -> None:
    turn: dict[int, Any] = {  # how to store it, so that it comes out the right way up
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(turn[orientation](COLOURS))
    np.testing.assert_array_equal(load_picture(saved(tmp_path, Image.fromarray(stored), exif=exif)), COLOURS)


@pytest.mark.parametrize(
    ("suffix", "modes"),
    [
        ("jpg", ["RGB", "L", "CMYK"]),
        ("png", ["RGB", "L", "P", "RGBA", "LA", "1"]),
        ("webp", ["RGB", "RGBA"]),
        ("tiff", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"]),
    ],
)
def test_pixels_are_those_of_pillows_plain_way(suffix: str, modes: list[str], tmp_path: Path) -> None:
    clear = Image.fromarray(np.dstack([picture("small_picture"), np.full((160, 120), 180, np.uint8)]))
    for mode, orientation in product(modes, (1, 3, 6)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        made = clear.convert("RGB").convert("CMYK") if mode == "CMYK" else clear.convert(mode)
        path = saved(tmp_path, made, f"{mode}{orientation}.{suffix}", exif=exif)
        with Image.open(path) as opened:
            turned = ImageOps.exif_transpose(opened)
        if turned.has_transparency_data:
            turned = Image.alpha_composite(Image.new("RGBA", turned.size, "white"), turned.convert("RGBA"))
        np.testing.assert_array_equal(load_picture(path), np.asarray(turned.convert("RGB")))


def test_reading_on_threads_leaves_warnings_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, numbers, plain = saved(tmp_path, Image.fromarray(COLOURS)), count(), Image.open

    def slowly(path: Path, **options: Any) -> Image.Image:
        time.sleep(0.002 * (next(numbers) % 3))  # whoever begins last may be done first
        return plain(path, **options)

    monkeypatch.setattr(Image, "open", slowly)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15)  # large enough for a warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(load_picture, [path] * 40))
        assert list(warnings.filters) == before


def test_a_folder_stands_for_the_pictures_and_videos_below_it(tmp_path: Path) -> None:
    wanted = ("a.png", "b.JPG", "below/deeper/e.webp", "c.mp4")
    for name in (*wanted, ".hidden.png", "notes.txt", "table.pdf", ".hidden/f.png", "folder.png/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "below" / "again").symlink_to(tmp_path)  # which would never end
    found = [str(tmp_path / name) for name in wanted]
    assert find_sources(["0", str(tmp_path), found[0]]) == ["0", *found, found[0]]
    with pytest.raises(BadPicture, match=r"folder\.png has no pictures\n.*names end in \.jpg"):
        find_sources([found[0], str(tmp_path / "folder.png")])
    with pytest.raises(BadPicture, match=r"no such file: missing\.png"):
        find_sources([str(tmp_path), "missing.png"])


@pytest.mark.parametrize(
    ("shown", "rate", "number", "seconds"),
    [(0.0, 30, 1, 0.0), (1500.0, 30, 7, 1.5), (0.0, 25, 26, 1.0), (0.0, 0, 26, None), (-4.0, 25, 26, 1.0)],
)
def test_frame_whose_time_nobody_says_has_that_of_its_number(
    shown: float, rate: float, number: int, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    said = {cv2.CAP_PROP_POS_MSEC: shown, cv2.CAP_PROP_FPS: rate}
    capture: Any = SimpleNamespace(get=said.__getitem__)
    assert _seconds(capture, number) == seconds


def test_fifty_megapixels(tmp_path: Path) -> None:
    large = Image.new("RGB", (10_000, 5_000), (10, 20, 30))
    made = load_picture(saved(tmp_path, large, compress_level=1))
    assert made.shape == (5_000, 10_000, 3)
    assert made[-1, -1].tolist() == [10, 20, 30]


def test_decompression_bomb_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.fromarray(COLOURS))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(BadPicture, match="scale it down first"):
        load_picture(path)


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.webp", "picture.tiff", "picture.bmp"])
def test_truncated_file_is_an_error(name: str, tmp_path: Path) -> None:
    whole = saved(tmp_path, Image.fromarray(picture("small_picture")), name).read_bytes()
    for share in (0.3, 0.6, 0.95):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(BadPicture, match=r"is damaged|is not a picture"):
            load_picture(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is not a picture"), (b"hello", "is not a picture"), (None, "no such file")]
)
def test_what_is_no_picture_is_an_error(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadPicture, match=message):
        load_picture(path)


def test_pixels_without_a_defined_white_are_an_error(tmp_path: Path) -> None:
    for dtype, message in ((np.float32, "floating-point"), (np.int32, "32 bits per pixel")):
        path = saved(tmp_path, Image.fromarray(np.ones((3, 3), dtype)), "p.tiff")
        with pytest.raises(BadPicture, match=message):
            load_picture(path)


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.webp"])
def test_animated_picture_is_an_error(name: str, tmp_path: Path) -> None:
    stages = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    stages[0].save(tmp_path / name, save_all=True, append_images=stages[1:])
    with pytest.raises(BadPicture, match="is animated\\nhint: save it as a video"):
        load_picture(tmp_path / name)


def test_video_frame_by_frame(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    write_video(path, [Image.new("RGB", (64, 48), (level, 0, 0)) for level in (0, 100, 200)], 5)
    made = list(frames(str(path)))
    assert [frame.name for frame in made] == [f"{path} #{number}" for number in (1, 2, 3)]
    for frame, level in zip(made, (0, 100, 200), strict=True):
        assert np.abs(frame.pixels.astype(int) - (level, 0, 0)).max() <= 4  # JPEG
    assert [frame.seconds for frame in made] == pytest.approx([0, 0.2, 0.4])
    assert len(list(frames(str(path), limit=2))) == 2
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(BadPicture, match=r"is damaged: it gives . of 3 frames|gives no pictures"):
        list(frames(str(path)))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadPicture, match="gives no pictures"):
        list(frames(str(path)))


@pytest.mark.parametrize(("source", "message"), [("97", "camera 97 gives no pictures"), ("a.mp4", "no such file")])
def test_camera_or_video_that_is_not_there_is_an_error(source: str, message: str) -> None:
    with pytest.raises(BadPicture, match=message):
        list(frames(source))
