"""`unlite finetune`: what it refuses, and that nothing is left behind then; and that a kill costs only time."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converter import zoo
from converter.errors import UnliteError
from tests.tools import models, tiny_run
from tests.tools.commands import check_refused, document, output, run
from tests.tools.lazy import keras
from unlite.training.data import read_dataset
from unlite.training.drawn.sets import drawn_set
from unlite.training.finetuning import _identity as identity
from unlite.training.finetuning import finetune
from unlite.training.fitting.loop import Course
from unlite.training.lessons.source import Source
from unlite.training.settings import TrainingSettings

pytestmark = pytest.mark.one_setting

NAME = "palm_detection_full"
FEW = ("--epochs", "1", "--copies", "1", "--width", "4", "--batch", "4", "--share", "0.3")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn hands."""
    folder = tmp_path_factory.mktemp("drawn") / "hands"
    drawn_set(folder, tiny_run.EACH, size=tiny_run.SIZE, drawn=tiny_run.DRAWN)
    return folder


def left_over() -> set[str]:
    """What is in the working folder but was not put there by the tests."""
    return {path.name for path in Path.cwd().iterdir()} - {"file.tflite", "mine.py", "data", "__pycache__"}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, says: str) -> None:
    check_refused(capsys, "finetune", *arguments, message=says)


def test_trains_judges_and_writes(capsys: pytest.CaptureFixture[str], drawn: Path) -> None:
    made = document(capsys, "finetune", NAME, "--data", str(drawn), "-o", "out.keras", *FEW)
    assert made["labels"]["names"] == ["fist", "open"]
    assert left_over() == {"out.keras", "out-run"}
    assert {path.name for path in Path("out-run").iterdir()} == {
        "last.keras",
        "report.html",
        "results.csv",
        "settings.json",
    }
    # What it has made can be tuned no further by this design, and says so before looking at a picture.
    again = ("out.keras", "--data", str(drawn), "-o", "again.keras")
    refused(capsys, *again, *FEW, says="out tells 2 classes apart already, and --design tower needs a detector of one")
    assert not Path("again-run").exists()
    text = output(capsys, "detect", str(next(drawn.rglob("*.jpg"))), "--model", "out.keras", "--min-score", "0")
    assert "fist" in text or "open" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--labels", "fist,paw"], "has no label 'paw'"),
        (["--labels", "fist,fist"], "one of them twice"),
        (["--design", "wide"], "there is no --design wide"),
        (["--design", "two_stage", "--train", "all"], "--design two_stage leaves the detector as it is"),
        (["--train", "boxes"], "--train boxes says nothing"),
        (["--share", "1.5"], "share=1.5"),
        (["--copies", "0"], "copies=0"),
        (["--epochs", "0"], "epochs=0"),
        (["--batch", "-3"], "batch=-3"),
        (["--learning-rate", "nan"], "learning_rate=nan"),
        (["--width", "0"], "a tower whose width is 0"),
        (["--seed", "-1"], "seed=-1"),
        (["--group", "("], "is no regular expression"),
        (["--detector", "paw"], "no detector 'paw'"),
        (["-o", "out.tflite"], "does not end in .keras"),
        (["-o", "missing/out.keras"], "the folder missing does not exist"),
        (["-o", "/proc/out.keras"], "/proc/out.keras cannot be written"),
        (["--run", "file.tflite"], "file.tflite is no folder"),
        (["--run", "file.tflite/run"], "cannot be written"),
        (["--run", "."], "has something else in it than a run"),
    ],
)
def test_settings_that_make_no_sense(
    capsys: pytest.CaptureFixture[str], drawn: Path, arguments: list[str], says: str
) -> None:
    refused(capsys, NAME, "--data", str(drawn), *FEW, *arguments, says=says)


def test_pictures_for_testing_that_show_nothing(capsys: pytest.CaptureFixture[str], drawn: Path) -> None:
    for number, picture in enumerate(sorted(drawn.rglob("*.jpg"))):
        place = Path("data") / ("train", "val")[number % 2] / picture.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place / f"{number}.jpg")
    Path("data/test/none").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save("data/test/none/1.png")
    refused(capsys, NAME, "--data", "data", *FEW, says="no object is left in the pictures for test")


def test_never_writes_over_the_pictures(capsys: pytest.CaptureFixture[str], drawn: Path) -> None:
    shutil.copytree(drawn, "data")
    before = sorted(Path("data").rglob("*"))
    refused(capsys, NAME, "--data", "data", "--run", "data", *FEW, says="has something else in it than a run")
    assert sorted(Path("data").rglob("*")) == before


def nothing(folder: Path) -> None:
    folder.mkdir()


def empty_folders(folder: Path) -> None:
    (folder / "fist").mkdir(parents=True)


def one_label(folder: Path) -> None:
    (folder / "fist").mkdir(parents=True)
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / "fist" / f"{number}.png")


def broken_pictures(folder: Path) -> None:
    for label in ("fist", "ok"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            (folder / label / f"{number}.jpg").write_bytes(b"\xff\xd8 no picture")


def pictures_of_nothing(folder: Path) -> None:
    """Two labels, but no detector finds a hand."""
    for row, label in enumerate(("fist", "ok")):
        (folder / label).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng(4 * row + number).integers(0, 255, (48, 48, 3)).astype(np.uint8)
            Image.fromarray(noise).save(folder / label / f"{number}.png")


def missing_pictures(folder: Path) -> None:
    coco(folder, [(0.1, 0.1, 0.5, 0.5)] * 4, pictures=False)


def impossible_boxes(folder: Path) -> None:
    coco(folder, [(1.5, 1.5, 0.5, 0.5), (0.5, 0.5, -0.2, 0.3), (0.5, 0.5, 0.0, 0.0), (float("nan"), 0.1, 0.2, 0.2)])


def coco(folder: Path, boxes: list[tuple[float, ...]], *, pictures: bool = True) -> None:
    folder.mkdir()
    rng, size = np.random.default_rng(0), 64
    stored: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    for number, box in enumerate(boxes):
        name = f"{number}.png"
        if pictures:
            Image.fromarray(rng.integers(0, 255, (size, size, 3)).astype(np.uint8)).save(folder / name)
        stored["images"].append({"id": number, "file_name": name, "width": size, "height": size})
        numbers = [share * size for share in box]
        stored["annotations"].append({"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": numbers})
    (folder / "annotations.json").write_text(json.dumps(stored, indent=1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (nothing, "no pictures"),
        (empty_folders, "no pictures"),
        (one_label, "there is nothing to tell it from"),
        (broken_pictures, "no object is left in the pictures for train; 6 pictures were left out, e.g. "),
        (pictures_of_nothing, "no object is left in the pictures for train; 8 pictures were left out, e.g. "),
        (missing_pictures, "no such picture: '0.png'"),
        (impossible_boxes, "nothing in any picture; the first of"),
    ],
)
def test_data_that_teach_nothing(capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], says: str) -> None:
    make(Path("data"))
    refused(capsys, NAME, "--data", "data", *FEW, says=says)
    assert not left_over()


def test_data_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, NAME, "--data", "nowhere", says="no such file or folder: nowhere")
    refused(capsys, NAME, "--data", "mine.py", says="neither a folder nor a file that describes a data set")


def test_what_is_no_detector(capsys: pytest.CaptureFixture[str], drawn: Path) -> None:
    data = ("--data", str(drawn), *FEW)
    refused(capsys, "hand_landmark_full", *data, says="no known detector takes 224×224×3")
    refused(capsys, "none.tflite", *data, says="no such file: none.tflite")
    refused(capsys, "none.keras", *data, says="none.keras")
    x = keras.Input((8, 8, 3))
    keras.Model(x, keras.layers.Flatten()(x)).save("other.keras")
    refused(capsys, "other.keras", *data, says="no known detector takes 8×8×3")
    Path("broken.keras").write_text("no zip")
    refused(capsys, "broken.keras", *data, says="broken.keras")


def test_gated_needs_two_labels(capsys: pytest.CaptureFixture[str], drawn: Path) -> None:
    few = ("--data", str(drawn), "--labels", "open", *FEW)
    refused(capsys, NAME, *few, "--design", "gated", says="learns nothing of 'open' alone")
    assert document(capsys, "finetune", NAME, *few, "-o", "one.keras")["labels"]["names"] == ["open"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="takes no room in advance")
def test_a_disk_that_is_full(capsys: pytest.CaptureFixture[str], drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    refused(capsys, NAME, "--data", str(drawn), "-o", "out.keras", *FEW, says="No space left on device")
    assert not left_over()


def test_a_loss_that_is_none(capsys: pytest.CaptureFixture[str], drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import unlite.training.lessons.classes

    def none(y: Any, logits: Any) -> Any:
        return keras.ops.sum(logits, axis=(1, 2)) * float("nan")

    monkeypatch.setattr(unlite.training.lessons.classes, "anchor_classification", none)
    code, out, err = run(capsys, "finetune", NAME, "--data", str(drawn), "-o", "out.keras", *FEW)
    assert (code, out) == (2, "")
    assert "error: loss is nan after pass 1\nhint: a smaller learning_rate may help" in err
    assert not Path("out.keras").exists()
    assert not Path("out-run/state.npz").exists()  # the next run starts without it


def test_what_a_run_is_gone_on_with(drawn: Path) -> None:
    """Only if nothing has changed that its features or its training depend on."""
    source, dataset = Source.of(models.shared(NAME)), read_dataset(drawn)
    first, *others = dataset.examples
    said = replace(dataset, examples=(replace(first, annotations=()), *others))
    right = identity(TrainingSettings(), source, dataset)
    assert identity(TrainingSettings(course=Course(tensorboard=Path("logs"))), source, read_dataset(drawn)) == right
    changed = [
        identity(tiny_run.settings(3), source, dataset),
        identity(TrainingSettings(seed=1), source, dataset),
        identity(TrainingSettings(), source, said),
        identity(TrainingSettings(), replace(source, detector=replace(source.detector, min_score=0.1)), dataset),
        identity(TrainingSettings(), Source.of(models.shared("palm_detection_lite")), dataset),
    ]
    assert all(each != right for each in changed)


@pytest.mark.parametrize(
    "setting",
    [{"share": 2.0}, {"copies": 0}, {"design": "wide"}, {"train": "boxes"}, {"seed": -1}, {"course": Course(epochs=0)}],
)
def test_the_library_names_no_options(setting: dict[str, Any], drawn: Path) -> None:
    with pytest.raises(UnliteError) as caught:
        finetune(zoo.find(NAME), drawn, TrainingSettings(**setting))
    assert "--" not in str(caught.value)


def start(model: Path, data: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.tools.tiny_run", str(model), str(data), f"{name}-run", f"{name}.npz"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_killed_and_started_again_it_ends_where_it_would_have_ended(drawn: Path) -> None:
    """At two moments: with features half done, and in a pass."""
    rng, model = np.random.default_rng(5), models.path(NAME)
    moments = [("features", rng.integers(1, 20)), ("training", rng.integers(2, 8))]
    for stage, number in moments:
        process = start(model, drawn, "killed")
        assert process.stdout
        seen = 0
        for line in process.stdout:
            seen += line.startswith(stage)
            if seen == number:
                process.kill()
                break
        assert process.wait() == -9
        assert not Path("killed.npz").exists()
    process = start(model, drawn, "killed")
    assert process.wait() == 0
    tiny_run.main(str(model), str(drawn), "whole-run", "whole.npz")
    with np.load("killed.npz") as killed, np.load("whole.npz") as whole:
        assert killed.files == whole.files
        for name in whole.files:
            np.testing.assert_allclose(killed[name], whole[name], rtol=0, atol=1e-6)
