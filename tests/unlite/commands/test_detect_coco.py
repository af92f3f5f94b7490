"""`unlite detect --coco`: what is found, as data that trains another detector."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import converter
from fixtures.pictures import picture
from tests.tools.commands import document, output, run
from tests.tools.films import write_video
from tests.tools.labelled import LABELS, detector
from unlite.training.data.reading import read_dataset


@pytest.fixture(autouse=True)
def pictures(folder: Path) -> None:
    """What there is to look at."""
    for name in ("far_40", "far_25", "none"):
        Image.fromarray(picture(name)).save(folder / f"{name}.png")


def test_what_is_found_is_training_data(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other/below").mkdir(parents=True)
    Path("far_25.png").rename("other/below/far_25.png")
    out = output(capsys, "detect", "far_40.png", "none.png", "other", "--coco", "found.json")
    assert "wrote found.json: 3 pictures, 2 found in them" in out
    dataset = read_dataset(Path("found.json"))
    assert (dataset.problems, dataset.labels) == ((), ("palm",))
    found = {example.path.name: example.annotations for example in dataset.examples}
    assert [len(found[name]) for name in ("far_40.png", "none.png", "far_25.png")] == [1, 0, 1]
    (row,) = document(capsys, "detect", "far_40.png")["pictures"][0]["detections"]
    assert found["far_40.png"][0].box_xywh is not None
    in_pixels = [640 * share for share in found["far_40.png"][0].box_xywh]
    assert in_pixels == pytest.approx([*row["box"].values()], abs=0.02)
    written = json.loads(Path("found.json").read_text())
    assert written["annotations"][0]["score"] == pytest.approx(row["score"], abs=1e-4)
    assert written["categories"][0]["keypoints"] == [*row["keypoints"]]


def test_frames_of_videos_are_kept_beside_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("clip.avi", "mine/clip.avi"):
        Path(name).parent.mkdir(exist_ok=True)
        write_video(Path(name), [Image.fromarray(picture(each)) for each in ("far_40", "far_25")], 5)
    assert output(capsys, "detect", "clip.avi", "mine", "none.png", "--coco", "found.json", "--draw", "drawn")
    written = json.loads(Path("found.json").read_text())["images"]
    names = ["found/clip-00001.jpg", "found/clip-00002.jpg", "found/clip-00001-2.jpg", "found/clip-00002-2.jpg"]
    assert [image["file_name"] for image in written] == [*names, "none.png"]
    assert [image.get("time") for image in written] == ["0.000", "0.200", "0.000", "0.200", None]
    assert written[0]["source"] == "clip.avi"
    with Image.open(names[1]) as frame:
        assert np.abs(np.asarray(frame, np.int16) - picture("far_25")).mean() < 4  # nothing is drawn into it
    assert len(read_dataset(Path("found.json")).examples) == 5


def test_after_an_error_there_is_no_coco_file(capsys: pytest.CaptureFixture[str]) -> None:
    write_video(Path("clip.avi"), [Image.fromarray(picture("far_40"))])
    Path("g.png").write_bytes(b"hello")
    before = set(Path.cwd().rglob("*"))
    code, _, err = run(capsys, "detect", "clip.avi", "g.png", "--coco", "found.json")
    assert (code, err) == (2, "error: g.png is not a picture\n")
    assert set(Path.cwd().rglob("*")) == before


def test_labels_of_the_model_are_the_categories(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(detector("joint"), "labelled.keras")
    output(capsys, "detect", "far_40.png", "none.png", "--model", "labelled.keras", "--coco", "found.json")
    written = json.loads(Path("found.json").read_text())
    assert [category["name"] for category in written["categories"]] == list(LABELS.names)
    assert {each["category_id"] for each in written["annotations"]} == {2}
    output(capsys, "detect", "none.png", "--coco", "nothing.json")
    nothing = json.loads(Path("nothing.json").read_text())
    assert (len(nothing["images"]), nothing["annotations"], len(nothing["categories"])) == (1, [], 1)
