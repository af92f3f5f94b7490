"""Pictures from files, videos and cameras, as RGB bytes the right way up."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converter.errors import BadPicture
from parity.detection.sampling import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
WHITE = (255, 255, 255)


class Frame(NamedTuple):
    """One picture and what to call it."""

    name: str
    pixels: Pixels


def frames(source: str, limit: int | None = None) -> Iterator[Frame]:
    """The pictures of one source.

    Args:
        source: Path of a picture or a video, or the number of a camera.
        limit: Most frames of a video or camera; default: all of a video, one of a camera.

    Raises:
        BadPicture: There is none.
    """
    if source.isdecimal() and not Path(source).exists():
        yield from _captured(source, 1 if limit is None else limit)
    elif Path(source).suffix.lower() in VIDEOS:
        yield from _captured(source, limit)
    else:
        yield Frame(source, load_picture(Path(source)))


def load_picture(path: Path) -> Pixels:
    """Read a picture file: turned as its EXIF data says, transparency on white, 16 bits scaled to 8.

    Returns:
        RGB [H, W, 3].

    Raises:
        BadPicture: It is no picture, damaged, or of a kind whose brightness is not defined.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise BadPicture(f"no such file: {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large is not yet an attack
            with Image.open(path) as opened:
                opened.load()
                return _as_rgb(ImageOps.exif_transpose(opened), path)
    except UnidentifiedImageError:
        raise BadPicture(f"{path} is not a picture") from None
    except Image.DecompressionBombError as error:
        raise BadPicture(f"{path}: {error}", hint="scale it down first") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise for damaged files
        raise BadPicture(f"{path} is damaged: {error}") from None


def _as_rgb(image: "Image", path: Path) -> Pixels:
    from PIL import Image

    if image.mode == "F":
        raise BadPicture(f"{path} has floating-point pixels", hint="save it with 8 or 16 bits per channel")
    if image.mode.startswith("I"):  # 16 bits, sometimes stored in 32; Pillow would cut them off at 255
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 0xFFFF:
            raise BadPicture(f"{path} has more than 16 bits per pixel", hint="save it with 8 or 16 bits per channel")
        return np.repeat(((deep * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (*WHITE, 255)), layer)
    return np.array(image.convert("RGB"))


def _captured(source: str, limit: int | None) -> Iterator[Frame]:
    import cv2

    what = f"camera {source}" if source.isdecimal() else source
    if not source.isdecimal() and not Path(source).is_file():
        raise BadPicture(f"no such file: {source}")
    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # what it says about cameras that do not exist is said below
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    try:
        number = 0
        while limit is None or number < limit:
            is_read, pixels = capture.read()
            if not is_read:
                break
            number += 1
            yield Frame(f"{what} #{number}", pixels[..., ::-1].astype(np.uint8))
        if number == 0:
            raise BadPicture(f"{what} gives no pictures")
    finally:
        capture.release()
