"""Pictures, folders and films into a data set, without a page."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from converter.errors import BadPicture
from tests.tools.films import write_video
from tests.tools.staged import collector, jpeg
from unlite.collecting.collector import Collector
from unlite.collecting.sources import Fed, feed
from unlite.detection.images import find_sources

pytestmark = pytest.mark.one_setting


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Collector]:
    made = collector(tmp_path / "set")
    made.store.open(["fist"])
    yield made
    made.store.close()


def fed(made: Collector, *sources: Path, limit: int | None = None) -> Fed:
    return feed(made, find_sources([str(source) for source in sources]), "fist", limit, lambda _: None)


def pictures(*seeds: int) -> list[Image.Image]:
    return [Image.open(BytesIO(jpeg(seed, 0.9))) for seed in seeds]


def test_pictures_are_kept_as_they_are(made: Collector, tmp_path: Path) -> None:
    (tmp_path / "mine" / "below").mkdir(parents=True)
    contents = {
        "a.jpg": jpeg(1, 0.9),
        "below/b.jpg": jpeg(2, 0.9),
        "below/nothing.jpg": jpeg(3),
        "copy.jpg": jpeg(1, 0.9),
    }
    for name, content in contents.items():
        (tmp_path / "mine" / name).write_bytes(content)
    assert str(fed(made, tmp_path / "mine")) == "2 kept, 1 nearly the same, 1 with nothing found"
    kept = [picture for _, picture in made.store.items()]
    assert [(made.store.root / each.file_name).read_bytes() for each in kept] == [
        contents["a.jpg"],
        contents["below/b.jpg"],
    ]
    assert [each.about["source"] for each in kept] == ["a.jpg", "b.jpg"]
    assert "time" not in kept[0].about


def test_frames_of_a_film_are_written_with_their_times(made: Collector, tmp_path: Path) -> None:
    write_video(tmp_path / "film.avi", pictures(1, 1, 2, 3), 2)
    assert str(fed(made, tmp_path / "film.avi")) == "3 kept, 1 nearly the same"
    kept = [picture.about for _, picture in made.store.items()]
    assert [(each["source"], each["time"]) for each in kept] == [
        ("film.avi", time) for time in ("0.000", "1.000", "1.500")
    ]
    assert {each["take"] for each in kept} == {"1"}
    assert fed(made, tmp_path / "film.avi", limit=2).verdicts == {"copy": 2}


def test_films_and_long_films_are_several_takes(made: Collector, tmp_path: Path) -> None:
    for number in range(2):
        write_video(tmp_path / f"{number}.avi", pictures(2 * number, 2 * number + 1), 0.1)
    fed(made, tmp_path / "0.avi", tmp_path / "1.avi")
    assert len({picture.about["take"] for _, picture in made.store.items()}) == 4


def test_what_cannot_be_read_is_left_out_and_told(made: Collector, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.jpg").write_bytes(jpeg(1, 0.9))
    for name in ("b.jpg", "c.mp4", "d.avi"):
        (tmp_path / "mine" / name).write_bytes(b"a film without frames, or not even one")
    done = fed(made, tmp_path / "mine")
    assert done.verdicts == {"kept": 1}
    assert [problem.split("/")[-1] for problem in done.problems] == [
        *("b.jpg is not a picture", "c.mp4 gives no pictures", "d.avi gives no pictures")
    ]


@pytest.mark.parametrize(("name", "reason"), [("a.mp4", "gives no pictures"), ("a.jpg", "is not a picture")])
def test_where_nothing_can_be_read_it_is_an_error(made: Collector, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / name).write_text("hello")
    with pytest.raises(BadPicture, match=reason):
        fed(made, tmp_path / name)


def test_progress_is_told_frame_by_frame(made: Collector, tmp_path: Path) -> None:
    write_video(tmp_path / "film.avi", pictures(1, 2, 3))
    told: list[str] = []
    feed(made, [str(tmp_path / "film.avi")], "fist", None, lambda fed: told.append(str(fed)))
    assert told == ["1 kept", "2 kept", "3 kept"]
