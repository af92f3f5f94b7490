"""A collected data set on disk: what it has, what is changed, and that nothing is ever lost."""

import json
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from converter.errors import BadData, OutputNotWritten
from tests.tools.staged import collector, jpeg, keep
from unlite.collecting.collector import Collector, Shot
from unlite.collecting.files import ROWS
from unlite.collecting.seeing import decoded

pytestmark = pytest.mark.one_setting

LABELS = ("fist", "palm", "none")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Collector]:
    made = collector(tmp_path / "set")
    made.store.open(LABELS)
    yield made
    if made.store._saver.is_alive():
        made.store.close()


def rows(made: Collector) -> Any:
    return json.loads((made.store.root / ROWS).read_text())


def pictures(root: Path) -> dict[str, int]:
    return {label: len(list((root / label).rglob("*.jpg"))) for label in LABELS}


def test_pictures_lie_in_a_folder_per_label_and_the_records_say_the_rest(opened: Collector) -> None:
    opened.person = "anna"
    keep(opened, "fist", 1, 0.9)
    keep(opened, "none", 2)
    written = rows(opened)
    assert [each["name"] for each in written["categories"]] == ["fist", "palm"]
    assert written["categories"][0]["keypoints"] == list(opened.eye.finder.detector.keypoints)
    first, second = written["images"]
    assert first["file_name"].startswith("fist/anna/")
    assert (first["width"], first["height"]) == (128, 128)
    assert first["source"] == "camera"
    assert (first["person"], first["session"], first["take"]) == ("anna", opened.session, "1")
    assert first["date_captured"].endswith("+00:00")
    (annotation,) = written["annotations"]
    assert annotation["image_id"] == first["id"]
    assert annotation["bbox"] == [32, 32, 64, 64]
    assert annotation["score"] == pytest.approx(0.9, abs=0.02)
    assert len(annotation["keypoints"]) == 3 * len(opened.eye.finder.detector.keypoints)
    assert second["file_name"].startswith("none/anna/")
    assert pictures(opened.store.root) == {"fist": 1, "palm": 0, "none": 1}


def test_what_is_struck_out_is_gone_and_can_be_brought_back(opened: Collector) -> None:
    numbers = [keep(opened, "fist", seed, 0.9) for seed in range(3)]
    before = rows(opened)
    opened.store.strike([numbers[0], numbers[2], 999])
    assert (pictures(opened.store.root)["fist"], len(rows(opened)["images"]), opened.store.struck) == (1, 1, 2)
    assert len(opened.store.bring_back()) == 2
    assert opened.store.struck == 0
    assert {each["file_name"] for each in rows(opened)["images"]} == {each["file_name"] for each in before["images"]}
    assert opened.store.bring_back() == []


def test_what_was_struck_out_is_forgotten_in_the_end(opened: Collector) -> None:
    opened.store.strike([keep(opened, "fist", 1, 0.9)])
    opened.store.close()
    assert not list(opened.store.root.rglob("*.jpg"))


def test_picture_is_moved_with_its_record(opened: Collector) -> None:
    number = keep(opened, "fist", 1, 0.9)
    opened.store.move([number], "palm")
    assert pictures(opened.store.root) == {"fist": 0, "palm": 1, "none": 0}
    (annotation,) = rows(opened)["annotations"]
    assert annotation["category_id"] == rows(opened)["categories"][1]["id"]
    opened.store.move([number], "none")
    assert rows(opened)["annotations"] == []
    opened.store.move([number], "fist")  # looked at again: what is shown has to be found
    assert len(rows(opened)["annotations"]) == 1
    with pytest.raises(BadData, match="no label 'thumb'"):
        opened.store.move([number], "thumb")
    nothing = keep(opened, "none", 2)
    with pytest.raises(BadData, match="nothing is found"):
        opened.store.move([nothing], "fist")
    assert pictures(opened.store.root) == {"fist": 1, "palm": 0, "none": 1}


def test_doubt_ends_with_trust(opened: Collector) -> None:
    number = keep(opened, "none", 1, 0.9)
    assert opened.store.counts.doubtful["none"] == 1
    assert "something is seen" in rows(opened)["images"][0]["doubt"]
    opened.store.trust([number])
    assert opened.store.counts.doubtful["none"] == 0
    assert "doubt" not in rows(opened)["images"][0]


def test_started_again_it_goes_on(opened: Collector) -> None:
    keep(opened, "fist", 1, 0.9)
    opened.store.close()
    again = collector(opened.store.root)
    assert again.store.open() == []
    assert again.store.labels == LABELS
    assert again.store.counts.pictures == {"fist": 1}
    sight = again.eye.look(decoded(jpeg(1, 0.9)))
    assert again.keep(Shot(jpeg(1, 0.9), "fist", "1"), sight).verdict == "copy"  # of one of the session before
    keep(again, "palm", 2, 0.9)
    again.store.close()
    assert pictures(again.store.root) == {"fist": 1, "palm": 1, "none": 0}


def test_what_hands_have_changed_meanwhile_is_taken_up(opened: Collector) -> None:
    for seed in range(3):
        keep(opened, "fist", seed, 0.9)
    names = [picture.file_name for _, picture in opened.store.items()]
    opened.store.close()
    root = opened.store.root
    (root / names[0]).rename(root / "palm" / "moved.jpg")  # under another name
    (root / names[1]).rename(root / "palm" / Path(names[1]).name)
    (root / names[2]).unlink()
    (root / "fist" / "mine.jpg").write_bytes(jpeg(7, 0.9))
    (root / "fist" / "unseen.jpg").write_bytes(jpeg(8))
    again = collector(root)
    notes = " | ".join(again.store.open())
    for note in (
        "1 pictures moved by hand",
        "2 pictures without a record",
        "nothing is found in them",
        "2 pictures are gone",
    ):
        assert note in notes
    assert again.store.counts.pictures == {"fist": 1, "palm": 2}
    again.store.close()


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["fist", "none"], "has pictures of palm, and the labels are fist, none"),
        (["fist", "Palm", "palm", "none"], "would be one folder"),
    ],
)
def test_other_labels_than_the_folder_has_are_refused(opened: Collector, labels: list[str], reason: str) -> None:
    keep(opened, "palm", 1, 0.9)
    opened.store.close()
    with pytest.raises(BadData, match=reason):
        collector(opened.store.root).store.open(labels)
    again = collector(opened.store.root)
    assert again.store.open(["fist", "palm", "thumb", "none"]) == [f"new in {opened.store.root}: thumb"]
    again.store.close()


def test_folder_without_labels_asks_for_some(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="has no labels yet"):
        collector(tmp_path / "set").store.open()


@pytest.mark.parametrize("content", ['{"images": [], "categories": []}', "no JSON", "[" * 100_000, "[]"])
def test_file_of_somebody_else_is_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / ROWS).write_text(content)
    with pytest.raises(BadData, match="was not written by `unlite collect`"):
        collector(tmp_path).store.open(LABELS)
    assert (tmp_path / ROWS).read_text() == content


def test_broken_records_are_named(opened: Collector) -> None:
    keep(opened, "fist", 1, 0.9)
    opened.store.close()
    path = opened.store.root / ROWS
    path.write_text(path.read_text().replace('"image_id"', '"image"'))
    with pytest.raises(BadData, match="is broken: KeyError 'image_id'"):
        collector(opened.store.root).store.open()


def test_one_process_collects_into_a_folder(opened: Collector) -> None:
    with pytest.raises(OutputNotWritten, match="another `unlite collect`"):
        collector(opened.store.root).store.open()
    opened.store.close()
    again = collector(opened.store.root)
    again.store.open()
    again.store.close()


def test_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    with pytest.raises(OutputNotWritten, match="is no folder"):
        collector(tmp_path / "set").store.open(LABELS)


def test_full_disk_is_told_and_nothing_is_lost(opened: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [keep(opened, "fist", 1, 0.9)]
    before = rows(opened)

    def full(*_: object) -> int:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for attempt in (
            lambda: keep(opened, "fist", 2, 0.9),
            lambda: opened.store.strike(numbers),
            lambda: opened.store.move(numbers, "palm"),
        ):
            with pytest.raises(OutputNotWritten, match="No space left on device") as refused:
                attempt()
            assert "make room" in refused.value.hint
        assert rows(opened) == before
        assert pictures(opened.store.root) == {"fist": 1, "palm": 0, "none": 0}
    keep(opened, "fist", 3, 0.9)
    opened.store.close()
    assert len(rows(opened)["images"]) == pictures(opened.store.root)["fist"] == 2
