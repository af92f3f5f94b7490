"""Pictures from files, videos and cameras, as RGB bytes the right way up; and what stands for what a model will see."""

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from converter import detectors
from converter.detectors.table import Detector
from converter.errors import BadDetector, BadInput, BadPicture
from converter.extras import importing
from converter.tflite.model import Graph
from parity.inputs import load_inputs
from parity.runners.runtimes import Array
from unlite.detection.pipeline import Pixels, as_tensor

if TYPE_CHECKING:
    from cv2 import VideoCapture
    from PIL.Image import Image

SOME = (".jpg", ".png", ".mp4")
VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
ANIMATIONS = {"GIF", "PNG", "WEBP"}
QUALITY = 95  # of JPEG
WHITE = (255, 255, 255)
LONGEST = 32_766  # OpenCV addresses pixels with 16 bits
CAMERA_DIGITS = 4
# Share of a video's frames that have to be readable: some files only estimate how many they have.
COMPLETE = 0.95
# Python's filters of warnings belong to all threads.
_OPENING = Lock()


class Frame(NamedTuple):
    """One picture, RGB [H, W, 3].

    Attributes:
        number: Of a video's frame, from 1; 0: it is a picture file.
        seconds: Where in its video it is; None: it is of none, or nothing says it.
    """

    source: str
    number: int
    pixels: Pixels
    seconds: float | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.source} #{self.number}" if self.number else self.source


def find_sources(given: Sequence[str]) -> list[str]:
    """What `frames` takes: in the place of each folder all pictures and videos below it; the rest has to be there.

    Args:
        given: Paths of pictures, videos and folders, and numbers of cameras.

    Raises:
        BadPicture: One is not there, or a folder has none.
    """
    made: list[str] = []
    for source in given:
        if Path(source).is_dir():
            found = pictures_in(Path(source))
            if not found:
                raise BadPicture(f"{source} has no pictures", hint=f"names end in {', '.join(SOME)} and the like")
            made += map(str, found)
        else:
            if not is_camera(source):
                _check_file(Path(source))
            made.append(source)
    return made


def pictures_in(folder: Path) -> list[Path]:
    """The pictures and videos below a folder, by their suffixes, sorted; hidden files and all else are left alone."""
    from PIL import Image

    readable = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    wanted = readable | VIDEOS
    return [path for path in files_below(folder) if path.suffix.lower() in wanted]


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and in those below it, in an order that is the same everywhere; hidden ones left out."""
    made = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        made += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(made, key=Path.as_posix)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise BadPicture(f"{path} is a folder" if path.is_dir() else f"no such file: {path}")


def frames(source: str, limit: int | None = None) -> Generator[Frame, None, None]:
    """The pictures of one source.

    Args:
        source: Path of a picture or a video, or the number of a camera.
        limit: Most frames of a video or camera; default: all of a video, one of a camera.

    Raises:
        BadPicture: There is none.
    """
    if is_camera(source):
        yield from _captured(source, 1 if limit is None else limit)
    elif has_frames(source):
        yield from _captured(source, limit)
    else:
        yield Frame(source, 0, load_picture(Path(source)))


def is_camera(source: str) -> bool:
    """Whether it is the number of a camera, and not the name of a file."""
    return source.isdecimal() and not Path(source).exists()


def has_frames(source: str) -> bool:
    """Whether it is a camera or a video, of which nobody knows how many pictures it gives."""
    return is_camera(source) or Path(source).suffix.lower() in VIDEOS


def load_picture(path: Path) -> Pixels:
    """Read a picture file: turned as its EXIF data says, transparency on white, 16 bits scaled to 8.

    Returns:
        RGB [H, W, 3].

    Raises:
        BadPicture: It is no picture, damaged, or of a kind whose brightness is not defined.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    _check_file(path)
    try:
        with open_picture(path) as opened:
            _check_kind(opened, path)
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            return _as_rgb(opened)
    except BadPicture:
        raise
    except UnidentifiedImageError:
        raise BadPicture(f"{path} is not a picture") from None
    except Image.DecompressionBombError as error:
        raise BadPicture(f"{path}: {error}", hint="scale it down first") from None
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise whatever comes to them on damaged files
        raise BadPicture(f"{path} is damaged: {error}") from None


def open_picture(file: Path | IO[bytes], formats: tuple[str, ...] | None = None) -> "Image":
    """What `PIL.Image.open` gives, without its warning of large ones: large is not yet an attack."""
    from PIL import Image

    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=formats)


def _check_kind(image: "Image", path: Path) -> None:
    hint = "save it with 8 or 16 bits per channel"
    if image.mode == "F":
        raise BadPicture(f"{path} has floating-point pixels", hint=hint)
    if image.mode == "I" and image.format != "PNG":  # where it is how Pillow before 11 reads 16 bits
        raise BadPicture(f"{path} has 32 bits per pixel, and nothing says which number is white", hint=hint)
    if getattr(image, "is_animated", False) and image.format in ANIMATIONS:
        raise BadPicture(f"{path} is animated", hint="save it as a video, or its frames as pictures")
    if max(image.size) > LONGEST:
        raise BadPicture(f"{path} has {image.width}×{image.height} pixels, at most {LONGEST} on a side can be sampled")


def _as_rgb(image: "Image") -> Pixels:
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        deep = np.asarray(image).astype(np.int64)
        deep = np.where(deep == image.info.get("transparency", -1), 0xFFFF, deep)
        return np.repeat(((deep * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (*WHITE, 255)), layer)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))  # which would copy


def _captured(source: str, limit: int | None) -> Iterator[Frame]:
    with importing("detect", "reading videos"):
        import cv2

    live = is_camera(source)
    what = f"camera {source}" if live else source
    if live and len(source) > CAMERA_DIGITS:
        raise BadPicture(f"{what} gives no pictures")
    if not live:
        _check_file(Path(source))
    capture = cv2.VideoCapture(int(source) if live else source)
    try:
        number = 0
        while limit is None or number < limit:
            is_read, pixels = capture.read()
            if not is_read:
                break
            number += 1
            seconds = None if live else _seconds(capture, number)
            yield Frame(what, number, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), seconds)
        announced = 0 if live else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if number == 0:
            raise BadPicture(f"{what} gives no pictures")
        if number < COMPLETE * min(announced, limit or announced):
            raise BadPicture(f"{what} is damaged: it gives {number} of {announced} frames")
    finally:
        capture.release()


def _seconds(capture: "VideoCapture", number: int) -> float | None:
    """Where in a video the frame is that was read last, of this number; None: nothing says it."""
    import cv2

    shown, rate = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, capture.get(cv2.CAP_PROP_FPS)
    if shown > 0 or number == 1:  # some containers have no times
        return max(shown, 0.0)
    return (number - 1) / rate if rate > 0 else None


def as_jpeg(pixels: Pixels) -> bytes:
    """RGB [H, W, 3] as a file, for frames that have none."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def load_representative(path: Path, graph: Graph) -> list[list[Array]]:
    """Inputs for one call each.

    Args:
        path: A folder of pictures and videos, for a known detector; anything else in it is left alone. Or a file of
            arrays, see `parity.inputs.load_inputs`; the first axis counts the calls.
        graph: What takes them.

    Raises:
        BadInput: There are none, the model does not take them, or the folder is for no known detector.
        BadPicture: One of the pictures cannot be read.
    """
    made = list(_pictures(path, _detector(path, graph)) if path.is_dir() else _rows(path, graph))
    if not made:
        raise BadInput(f"{path} has no pictures" if path.is_dir() else f"{path} is empty")
    return made


def _pictures(folder: Path, detector: Detector) -> Iterator[list[Array]]:
    for path in pictures_in(folder):
        for frame in frames(str(path)):
            yield [as_tensor(frame.pixels, detector)[0]]


def _detector(path: Path, graph: Graph) -> Detector:
    taken, given = ([graph.tensors[index].shape[1:] for index in ends] for ends in (graph.inputs, graph.outputs))
    try:
        if len(taken) == 1:
            return detectors.for_shapes(taken[0], given)
    except BadDetector:
        pass
    raise BadInput(
        f"{path} is a folder, and the model is no detector that is known: nothing says how it takes pictures",
        hint="save what it takes with numpy.save or numpy.savez, the first axis counting the pictures",
    )


def _rows(path: Path, graph: Graph) -> Iterator[list[Array]]:
    expected = [graph.tensors[index] for index in graph.inputs]
    for arrays in load_inputs(path, graph):
        counts = {len(array) if array.ndim else 0 for array in arrays}
        shapes = [array.shape[1:] for array in arrays]
        if len(counts) != 1 or shapes != [tensor.shape[1:] for tensor in expected]:
            wanted = ", ".join(f"{tensor} N×{'×'.join(map(str, tensor.shape[1:]))}" for tensor in expected)
            raise BadInput(f"{path} has arrays of shape {[array.shape for array in arrays]}; the model takes {wanted}")
        yield from ([array[row : row + 1] for array in arrays] for row in range(counts.pop()))
