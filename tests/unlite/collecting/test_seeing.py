"""What a camera's frames may be, and what the page is told of them."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from converter.errors import BadPicture
from tests.tools.staged import Staged, jpeg
from unlite.collecting.seeing import LONGEST, as_rows, decoded, objects_of
from unlite.detection.finder import Named

pytestmark = pytest.mark.one_setting


def encoded(kind: str, width: int = 8, height: int = 8, mode: str = "RGB") -> bytes:
    made = io.BytesIO()
    Image.new(mode, (width, height)).save(made, kind)
    return made.getvalue()


def resized(content: bytes, width: int, height: int) -> bytes:
    """The same JPEG, whose header says another size."""
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JPEG"),
        (b"\xff\xd8\xff", "no JPEG"),
        (b"hello", "no JPEG"),
        (encoded("PNG"), "no JPEG"),
        (encoded("GIF", mode="P"), "no JPEG"),
        (zlib.compress(bytes(1 << 20)), "no JPEG"),
        (jpeg(1)[:400], "damaged"),
        (resized(encoded("JPEG"), 60000, 60000), "too many pixels"),
        (resized(encoded("JPEG"), 12000, 12000), "12000×12000"),
        (encoded("JPEG", LONGEST + 1, 1), f"{LONGEST + 1}×1"),
    ],
)
def test_frame_that_is_no_jpeg_or_too_large_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadPicture, match=reason):
        decoded(content)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_any_jpeg_becomes_rgb(mode: str) -> None:
    assert decoded(encoded("JPEG", LONGEST, 2, mode)).shape == (2, LONGEST, 3)


def test_page_is_told_what_is_seen() -> None:
    sight = Staged().look(decoded(jpeg(1, 0.9, 0.3)))
    first, second = as_rows(sight, 0.5)
    assert first["box"] == [0.25, 0.25, 0.5, 0.5]
    assert len(first["keypoints"]) == 7
    assert (first["doubtful"], second["doubtful"]) == (False, True)
    assert "label" not in first


def test_trained_model_names_what_it_sees() -> None:
    sight = replace(Staged().look(decoded(jpeg(1, 0.9))), names=(Named("fist"),))
    assert [row["label"] for row in as_rows(sight, 0.5)] == ["fist"]


def test_label_has_one_object_and_nothing_has_none() -> None:
    found = Staged().look(decoded(jpeg(1, 0.9, 0.8))).found
    (only,) = objects_of(found, "fist")
    assert only.box_xywh == (0.25, 0.25, 0.5, 0.5)
    assert only.score == pytest.approx(0.9, abs=0.02)
    assert objects_of(found, "none") == ()
    assert objects_of(found[np.zeros(2, bool)], "fist") == ()
