"""The whole way: a `.tflite` file, a folder of drawn gestures, finetune, export, and who then names them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools.commands import document, output
from unlite.detection.images import load_picture
from unlite.training.drawn.sets import Drawn, drawn_set

pytestmark = pytest.mark.one_setting

GESTURES = ("open", "point", "thumbs_up")
PICTURES, UNSEEN = 36, 10  # of each gesture; the latter are of other people
# Far more than chance, and less than what it learns with any seed.
NAMED = 0.9


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make_detector(capsys: pytest.CaptureFixture[str]) -> list[Path]:
    """From the folder to `gestures.tflite`; returns pictures of people whom nobody has seen."""
    drawn = Drawn(GESTURES, persons=6, others=0)
    drawn_set(Path("gestures"), PICTURES, drawn=drawn)
    drawn_set(Path("unseen"), UNSEEN, seed=1, drawn=drawn)
    smaller = ("--width", "64", "--copies", "6", "--epochs", "5")
    output(
        capsys,
        *("finetune", "palm_detection_full", "--data", "gestures", "-o", "gestures.keras", *smaller),
        says=["wrote gestures.keras: open, point, thumbs_up", "next: unlite export gestures.keras"],
    )
    kept = {"settings.json", "results.csv", "report.html", "last.keras"}
    assert {path.name for path in Path("gestures-run").iterdir()} == kept
    output(
        capsys,
        *("export", "gestures.keras", "--like", "palm_detection_full", "-o", "gestures.tflite"),
        says=["labels open, point, thumbs_up", "wrote gestures.pbtxt"],
    )
    return [path for gesture in GESTURES for path in sorted(Path("unseen", gesture).rglob("*.jpg"))]


def check(named: Sequence[Sequence[str]], pictures: Sequence[Path]) -> None:
    """Raise unless nearly all pictures are called by their gesture: its folder, above that of the person."""
    right = [labels[:1] == [picture.parts[-3]] for labels, picture in zip(named, pictures, strict=True)]
    assert len(right) == UNSEEN * len(GESTURES)
    assert sum(right) >= NAMED * len(right), list(zip(pictures, named, strict=True))


def test_wrong_names_are_noticed() -> None:
    pictures = [Path(gesture, "person_01", "0000.jpg") for gesture in GESTURES for _ in range(UNSEEN)]
    check([[picture.parts[-3], "fist"] for picture in pictures], pictures)
    for wrong in ([], ["fist"], ["fist", "open"]):
        with pytest.raises(AssertionError):
            check([wrong] * len(pictures), pictures)


@pytest.mark.mediapipe
def test_detect_and_mediapipe_name_them(capsys: pytest.CaptureFixture[str]) -> None:
    from fixtures.mediapipe_graphs import run_labelled
    from unlite.detection.finder import load_finder

    unseen = make_detector(capsys)
    found = document(capsys, "detect", *map(str, unseen), "--model", "gestures.tflite")
    assert found["labels"]["names"] == list(GESTURES)
    check([[each["label"] for each in picture["detections"]] for picture in found["pictures"]], unseen)

    config, finder = Path("gestures.pbtxt").read_text("utf-8"), load_finder(Path("gestures.tflite"))
    named = []
    for path in unseen:
        picture = load_picture(path)
        named.append(run_labelled(config, Path.cwd(), picture, finder.detector)[0])
        assert named[-1] == [each.label for each in finder.names(finder(picture))], path
    check(named, unseen)
