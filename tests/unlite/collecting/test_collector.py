"""What becomes of frames, and what is written of each."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.tools.staged import collector, jpeg
from unlite.collecting.collector import TAKE_SECONDS, Collector, Shot, Takes
from unlite.collecting.seeing import decoded
from unlite.training.data.reading import read_dataset

pytestmark = pytest.mark.one_setting


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Collector]:
    made = collector(tmp_path / "set")
    made.store.open(["fist", "palm", "none"])
    yield made
    made.store.close()


def verdict(made: Collector, label: str, content: bytes, source: str = "camera") -> str:
    return made.keep(Shot(content, label, "1", source=source), made.eye.look(decoded(content))).verdict


def test_what_is_kept_and_what_is_dropped(made: Collector) -> None:
    assert verdict(made, "fist", jpeg(1, 0.9)) == "kept"
    assert verdict(made, "fist", jpeg(1, 0.9)) == "copy"
    assert verdict(made, "palm", jpeg(1, 0.9)) == "kept"  # of another label: somebody will see which is right
    assert verdict(made, "fist", jpeg(2)) == "nothing"
    assert verdict(made, "none", jpeg(3)) == "kept"
    for seed in range(4, 10):
        assert verdict(made, "fist", jpeg(seed, 0.9)) == "kept"
    assert verdict(made, "fist", jpeg(10, 0.9, blur=3)) == "blurred"
    assert made.dropped == Counter(copy=1, nothing=1, blurred=1)


def test_frames_of_another_source_are_not_compared_in_sharpness(made: Collector) -> None:
    for seed in range(8):
        assert verdict(made, "fist", jpeg(seed, 0.9)) == "kept"
    soft = jpeg(9, 0.9, blur=3)
    assert verdict(made, "fist", soft, "a soft lens.mp4") == "kept"
    assert verdict(made, "fist", soft) == "blurred"


@pytest.mark.parametrize(
    ("label", "scores", "doubt"),
    [
        ("fist", (0.9,), ""),
        ("fist", (0.3,), "hardly seen (0.30)"),
        ("fist", (0.9, 0.8), "two are seen (0.90, 0.80): which one?"),
        ("fist", (0.9, 0.4), ""),
        ("none", (), ""),
        ("none", (0.9,), "something is seen (0.90)"),
        ("none", (0.3,), ""),
    ],
)
def test_what_is_doubtful(made: Collector, label: str, scores: tuple[float, ...], doubt: str) -> None:
    content = jpeg(1, *scores)
    made.keep(Shot(content, label, "1"), made.eye.look(decoded(content)))
    ((_, picture),) = made.store.items()
    assert picture.about.get("doubt", "") == doubt
    made.store.save()
    assert made.store.counts.doubtful[label] == (doubt != "")


def test_many_threads_keep_each_picture_once(made: Collector) -> None:
    shots = [jpeg(seed % 20, 0.9) for seed in range(100)]
    threads = [
        Thread(target=lambda part=part: [verdict(made, "fist", shot) for shot in shots[part::4]]) for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made.store.items()) == 20
    assert made.dropped["copy"] == 80


def test_what_is_written_is_what_training_reads(made: Collector) -> None:
    for number, person in enumerate(["anna", "ben", ""]):
        made.person = person
        verdict(made, "fist", jpeg(2 * number, 0.9))
        verdict(made, "none", jpeg(2 * number + 1))
    made.store.save()
    dataset = read_dataset(made.store.root)
    assert dataset.form == "coco"
    assert [problem.text for problem in dataset.problems] == ["no picture shows 'palm'"]
    assert dataset.labels == ("fist", "palm")
    assert len(dataset.examples) == 6
    boxes = [annotation for example in dataset.examples for annotation in example.annotations]
    assert [annotation.label for annotation in boxes] == ["fist"] * 3
    for annotation in boxes:
        assert annotation.box_xywh == pytest.approx((0.25, 0.25, 0.5, 0.5))
        assert annotation.keypoints_xy[0] == pytest.approx((0.35, 0.35))
    # Of whom nobody has said who it is, the session tells.
    assert len({example.group for example in dataset.examples}) == 3


def test_takes_end_with_a_pause_another_label_and_time() -> None:
    takes = Takes()
    assert takes.of("fist", 0.0) == takes.of("fist", TAKE_SECONDS - 0.1) == "1"
    assert takes.of("fist", TAKE_SECONDS) == "2"
    assert takes.of("palm", TAKE_SECONDS + 0.1) == "3"
    takes.release()
    assert takes.of("palm", TAKE_SECONDS + 0.2) == "4"
