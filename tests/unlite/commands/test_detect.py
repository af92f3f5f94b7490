"""`unlite detect`: what it prints, which exit code, and what it leaves behind."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import converter
from converter.detectors.labels import Labels
from converter.surgery.heads import region_classifier, replace_classes
from converter.surgery.inputs import resize_input
from converter.write.writer import write
from fixtures.builder import Builder
from fixtures.pictures import picture
from tests.tools import models
from tests.tools.commands import check_refused, document, output, run
from tests.tools.films import write_video
from tests.tools.labelled import LABELS, detector
from tests.tools.lazy import architectures
from tests.tools.networks import transferred
from unlite.commands import detect
from unlite.detection.drawing import ALONE, BONE, BOX, MOVED
from unlite.detection.drawn import DrawnHand, draw

MINE = """
[[detector]]
name = "palms of mine"
height = 192
width = 192
strides = [8, 16, 16, 16]
interpolated_ratio = 1.0
min_score = 0.97
keypoints = ["a", "b", "c", "d", "e", "f", "g"]
"""


@pytest.fixture(autouse=True)
def pictures(folder: Path) -> None:
    """What there is to look at."""
    for name in ("far_40", "far_25", "none", "face"):
        Image.fromarray(picture(name)).save(folder / f"{name}.png")


def colours(path: str) -> set[Any]:
    with Image.open(path) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}


def test_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "detect", "far_40.png", "none.png")
    assert (code, err) == (0, "")
    for part in ("far_40.png  640×640  1 found", "middle base", "0.959", "none.png  640×480  nothing found"):
        assert part in out


def test_json_is_in_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    made = document(capsys, "detect", "face.png", "--model", "face_detection_short_range")
    assert made["detector"] == "face short range"
    (row,) = made["pictures"][0]["detections"]
    assert 150 < row["box"]["left"] < 200
    assert 180 < row["keypoints"]["right eye"][0] < row["keypoints"]["left eye"][0] < 260


def test_converted_model_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(models.shared("palm_detection_full"), "palm.keras")
    given = ["--model", "palm.keras", "--against", "palm_detection_full"]
    out = output(capsys, "detect", "far_40.png", "far_25.png", *given, "--draw", "drawn")
    assert out.count("same: 1 found by both, at most ") == 2
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["far_25.png", "far_40.png"]
    assert BOX in colours("drawn/far_40.png")
    assert not {ALONE, MOVED} & colours("drawn/far_40.png")


def test_model_that_finds_less_is_told_and_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = architectures.palm_192(pool_size=5)
    wrong.set_weights(transferred("palm_192")[0].get_weights())
    converter.save(wrong, "wrong.keras")
    given = ["--model", "wrong.keras", "--against", "palm_detection_full"]
    says = "differs: 1 only by the second"
    output(capsys, "detect", "far_25.png", *given, "--draw", "far.png", says=says, exit_code=1)
    assert ALONE in colours("far.png")
    made = document(capsys, "detect", "far_40.png", *given, "--draw", "near.png", exit_code=1)
    apart = made["pictures"][0]["difference"]
    assert (apart["only_first"], apart["only_second"]) == ([], [])
    assert apart["largest_difference"]["keypoint"] > 1e-3
    assert MOVED in colours("near.png")


def test_hand_landmarks(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--landmarks", "hand_landmark_full", "--draw", "hand.png"]
    output(capsys, "detect", "far_40.png", *given, says="right hand, 0.9")
    (hand,) = document(capsys, "detect", "far_40.png", *given[:2])["pictures"][0]["hands"]
    assert hand["detection"] == 0
    assert np.shape(hand["landmarks"]) == (21, 3)
    assert 100 < min(x for x, _, _ in hand["landmarks"]) < max(x for x, _, _ in hand["landmarks"]) < 540
    output(capsys, "detect", "far_40.png", *given, "--against", "palm_detection_full")
    assert BONE in colours("hand.png")  # beside another model as well


def test_detector_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    for min_score, count in (("0.97", 0), ("0.9", 1)):  # 0.96 is not enough at first
        Path("mine.toml").write_text(MINE.replace("0.97", min_score))
        made = document(capsys, "detect", "far_40.png", "--detector", "mine.toml")
        assert (made["detector"], len(made["pictures"][0]["detections"])) == ("palms of mine", count)


def test_frames_of_a_video_are_drawn_under_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    write_video(Path("clip.avi"), [Image.fromarray(picture(name)) for name in ("far_40", "far_25")])
    output(capsys, "detect", "clip.avi", "--draw", "drawn", says="clip.avi #2  640×640  1 found")
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["clip-00001.png", "clip-00002.png"]


def test_pictures_of_the_same_name_do_not_overwrite_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other").mkdir()
    Image.fromarray(picture("none")).save("other/none.png")
    output(capsys, "detect", "none.png", "other/none.png", "--draw", "drawn")
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["none-2.png", "none.png"]


def test_folder_of_pictures(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(detect, "working", lambda _: nullcontext(told.append))
    made = document(capsys, "detect", str(folder))
    assert [Path(each["picture"]).name for each in made["pictures"]] == [
        *("face.png", "far_25.png", "far_40.png", "none.png")
    ]
    assert [len(each["detections"]) for each in made["pictures"]] == [0, 1, 1, 0]
    assert told == ["looking", "looking 1/4", "looking 2/4", "looking 3/4", "looking 4/4"]


def test_what_comes_before_a_broken_picture_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("g.png").write_bytes(b"hello")
    code, out, err = run(capsys, "detect", ".")
    assert code == 2
    assert [line.split()[0] for line in out.splitlines() if "found" in line] == ["face.png", "far_25.png", "far_40.png"]
    assert err == "error: g.png is not a picture\n"


@pytest.mark.parametrize("count", [4, 5, 7])
def test_keras_models_find_the_same_once_they_are_compiled(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(models.shared("face_detection_short_range"), "face.keras")
    given = ["--model", "face.keras", "--against", "face_detection_short_range"]
    made = document(capsys, "detect", *["face.png"] * count, *given)
    assert [each["difference"]["same"] for each in made["pictures"]] == [True] * count
    assert all(len(each["detections"]) == 1 for each in made["pictures"])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 900), (5, 3)])
def test_tiny_pictures_have_nothing(height: int, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (width, height), (200, 150, 130)).save("tiny.png")
    output(capsys, "detect", "tiny.png", "--draw", "drawn.png", says=f"tiny.png  {width}×{height}  nothing found")
    with Image.open("drawn.png") as drawn:
        assert max(drawn.size) >= 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.py"], "no such file: none.py"),
        (["mine"], "mine has no pictures\nhint: names end in .jpg, .png, .mp4"),
        (["far_40.png", "--coco", "found.txt"], "found.txt does not end in .json"),
        (["far_40.png", "--coco", "missing/found.json"], "the folder missing does not exist"),
        (["far_40.png", "--coco", "mine.json"], "mine is there already, where frames of videos would be kept"),
        (["far_40.png", "g.png", "--coco", "found.json"], "no such file: g.png"),
        ([".", "--draw", "out.png"], "out.png holds one picture"),
        (["far_40.png", "missing.png", "--draw", "drawn"], "no such file: missing.png"),
        (["far_40.png", "--draw", "."], "would write over far_40.png"),
        (["far_40.png", "--draw", "far_40.png"], "would write over far_40.png"),
        (["wide.png"], "40000×20 pixels, at most 32766 on a side"),
        (["99999999999999"], "camera 99999999999999 gives no pictures"),
        (["far_40.png", "--landmarks", "palm_detection_full"], "is no hand landmark model"),
        (["none.png", "--landmarks", "face_landmark"], "is no hand landmark model"),
        (["far_40.png", "--model", "two.tflite"], "expected float32 and one picture at a time"),
        (["far_40.png", "--model", "bytes.tflite"], "expected float32 and one picture at a time"),
        (["far_40.png", "--detector", "face full range", "--draw", "drawn"], "has outputs [2304, 16]"),
        (["far_40.png", "--model", "nothing.tflite"], "no such file: nothing.tflite"),
        (["far_40.png", "--model", "hand_landmark_full"], "no known detector takes 224×224×3"),
        (["far_40.png", "--model", "hand_landmark_full"], "hint: describe it in a table: --detector FILE.toml\n"),
        (["far_40.png", "--detector", "paw"], "no detector 'paw'"),
        (["far_40.png", "--detector", "pose"], "takes 192×192×3; detector 'pose' has pictures of 224×224"),
        (["far_40.png", "--detector", "face full range"], "has outputs [2304, 16] and [2304, classes]"),
        (["far_40.png", "--against", "pose_detection"], "finds palm, pose_detection.tflite pose"),
        (["far_40.png", "--landmarks", "pose_detection"], "is no hand landmark model"),
        (["face.png", "--model", "pose_detection", "--landmarks", "hand_landmark_lite"], "need a palm detector"),
        (["far_40.png", "none.png", "--draw", "out.png"], "out.png holds one picture"),
        (["far_40.png", "--draw", "out.gif"], "expected a folder, or one of .jpeg, .jpg, .png, .webp"),
        (["far_40.png", "--draw", "missing/out.png"], "the folder missing does not exist"),
        (["97"], "camera 97 gives no pictures"),
        (["far_40.png", "--frames", "0"], "0 frames: nothing would be looked at"),
        (["far_40.png", "--min-score", "1.5"], "min_score 1.5 is no score"),
        (["far_40.png", "--min-score", "nan"], "min_score nan is no score"),
        (["far_40.png", "--classifier", "none.keras"], "no such file: none.keras"),
        (["far_40.png", "--classifier", "hand_landmark_full"], "classifies no regions"),
        (["far_40.png", "--classifier", "plain.keras"], "plain.keras has no labels"),
        (["far_40.png", "--model", "few.keras"], "few.keras has 1 classes, but 2 labels"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40_000, 20)).save("wide.png")
    Path("mine").mkdir()
    for name, shape, dtype in (("two", (2, 192, 192, 3), "float32"), ("bytes", (1, 192, 192, 3), "int8")):
        b = Builder()
        b.input(shape, dtype=dtype)
        Path(f"{name}.tflite").write_bytes(b.build(b.graph.inputs))
    if arguments[-1] == "plain.keras":
        converter.save(region_classifier(2), "plain.keras")
    if arguments[-1] == "few.keras":
        converter.save(models.shared("palm_detection_full"), "few.keras", Labels(("a", "b")))
    check_refused(capsys, "detect", *arguments, message=message)


@pytest.mark.parametrize("design", ["joint", "gated"])
def test_new_classes_start_by_detecting_as_before(design: Any, capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(replace_classes(models.shared("palm_detection_full"), 7, design), "seven.keras")
    given = ("--model", "seven.keras", "--against", "palm_detection_full")
    output(capsys, "detect", "far_40.png", *given, says="same: 1 found by both")


def test_model_with_a_larger_input_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(resize_input(models.shared("palm_detection_full"), 256, 256), "large.keras")
    output(capsys, "detect", "far_40.png", "--model", "large.keras", says="1 found")


@pytest.fixture
def labelled(folder: Path) -> str:
    """A file whose second class scores most."""
    Path("three.tflite").write_bytes(write(models.original("palm_detection_full"), detector("joint")))
    return "three.tflite"


def test_labels_are_told_and_drawn(labelled: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = output(capsys, "detect", "far_40.png", "--model", labelled, "--draw", "drawn.png", says=["label", "palm  "])
    assert "class" not in out
    output(capsys, "detect", "far_40.png", "--draw", "plain.png")
    with Image.open("drawn.png") as named, Image.open("plain.png") as plain:
        assert named.tobytes() != plain.tobytes()
    made = document(capsys, "detect", "far_40.png", "--model", labelled)
    (row,) = made["pictures"][0]["detections"]
    assert (row["label"], row["class"], row["score"] > 0.96) == ("palm", 1, True)
    assert (made["labels"], made["min_score"]) == (LABELS.as_dict(), 0.42)


def test_labels_are_those_of_the_keras_model(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(detector("gated"), "three.keras")
    made = document(capsys, "detect", "far_40.png", "--model", "three.keras", "--against", "palm_detection_full")
    (picture_,) = made["pictures"]
    assert [row["label"] for row in picture_["detections"]] == ["palm"]
    assert "label" not in picture_["against"][0]
    assert picture_["difference"]["same"]


def test_least_score_is_the_options_the_files_or_the_detectors(
    labelled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document(capsys, "detect", "far_40.png")["min_score"] == 0.5
    for model in ("palm_detection_full", labelled):
        made = document(capsys, "detect", "far_40.png", "--model", model, "--min-score", "0.99")
        assert (made["min_score"], made["pictures"][0]["detections"]) == (0.99, [])


def test_classes_can_be_suppressed_on_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    model = replace_classes(models.shared("palm_detection_full"), 2)
    for layer in model.layers:  # neighbouring anchors of a cell see the same hand, and call it different names
        if "classifier_palm" in layer.name and layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, bias + np.tile([0.5, 0, 0, 0.5], len(bias) // 4)])
    model.labels = Labels(("fist", "palm"))
    converter.save(model, "two.keras")
    for suppress, names in (("all", 1), ("class", 2)):
        made = document(capsys, "detect", "far_40.png", "--model", "two.keras", "--suppress", suppress)
        assert len({row["label"] for row in made["pictures"][0]["detections"]}) == names


def test_second_stage_names_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    for best, names in enumerate((["none"], ["fist"])):
        classifier = region_classifier(2)
        classifier.layers[-1].set_weights([np.zeros((128, 2)), np.eye(2)[best]])
        converter.save(classifier, f"{best}.keras", Labels(("none", "fist"), detector="palm"))
        made = document(capsys, "detect", "far_40.png", "--classifier", f"{best}.keras")
        found = made["pictures"][0]["detections"]
        assert [row["label"] for row in found] == [name for name in names if name != "none"]
    assert found[0]["probability"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert found[0]["score"] > 0.95
    given = ["--classifier", "1.keras", "--draw", "drawn.png"]
    output(capsys, "detect", "far_40.png", *given, says=["label  probability", "fist", "0.731"])


def test_what_fills_the_picture_is_found_from_nearer(capsys: pytest.CaptureFixture[str]) -> None:
    draw(200, 200, [DrawnHand(1.0, (0.5, 0.6))]).save("near.png")
    found = [document(capsys, "detect", "near.png", *near)["pictures"][0]["detections"] for near in ([], ["--near"])]
    assert [len(each) for each in found] == [0, 1]
