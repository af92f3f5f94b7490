"""What is said of a picture's cost follows from what was taken."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.looking import DRAWN, PICTURES, Cost, Taken, draw_pictures, take

pytestmark = pytest.mark.one_setting


def test_ratios_are_those_within_a_round() -> None:
    rounds = range(1, 8)  # on a machine that gets slower and slower
    network = tuple(Taken(2.0 * slower, slower) for slower in rounds)
    picture = tuple(Taken(3.0 * slower, 2.0 * slower) for slower in rounds)
    cost = Cost("palm", "video", network, picture)
    assert (cost.ratio.median, cost.processor_ratio.median) == (1.5, 2)
    assert str(cost).endswith(
        "network 8.00 ms, picture 12.00 ms, processor 8.00 ms; 1.50x (1.50 to 1.50), 2.00x in processor time"
    )


def test_what_is_taken_is_that_of_one_run() -> None:
    runs: list[int] = []
    taken = take(lambda: runs.append(0), times=1000)
    assert len(runs) == 1000
    assert 0 < taken.wall < 100


def test_pictures_are_a_cameras(tmp_path: Path) -> None:
    made = draw_pictures(tmp_path)
    assert len(set(made)) == PICTURES
    assert len({path.read_bytes() for path in made}) == DRAWN
    with Image.open(made[-1]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 480))
