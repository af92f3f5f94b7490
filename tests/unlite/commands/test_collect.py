"""`unlite collect`: what it prints, which exit code, and what it leaves behind. The page has tests of its own."""

import json
import shutil
import socket
from itertools import islice
from pathlib import Path

import pytest

from tests.tools.commands import check_refused, document, output, process
from tests.tools.commands import run as run_error
from tests.tools.films import film, write_video
from unlite.collecting.serving import server

pytestmark = pytest.mark.one_setting


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, and pictures of another one."""
    made = tmp_path_factory.mktemp("shown")
    write_video(made / "fist.avi", islice(film("fist", 21, size=(240, 320)), 0, None, 5))
    (made / "pictures" / "anna").mkdir(parents=True)
    for number, picture in enumerate(islice(film("fist", 21, seed=1, size=(240, 320)), 0, None, 10)):
        picture.save(made / "pictures" / "anna" / f"{number}.png")
    return made


@pytest.fixture(autouse=True)
def copied(folder: Path, shown: Path) -> None:
    """What there is to look at."""
    shutil.copytree(shown, folder, dirs_exist_ok=True)


def test_film_and_folder_become_a_data_set_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--label", "fist", "-o", "set"]
    made = document(capsys, "collect", "fist.avi", *given, "--person", "ben")
    kept = made["labels"]["fist"]
    assert kept >= 3
    assert sum(made["dropped"].values()) == 5 - kept
    out = output(capsys, "collect", "pictures", *given)
    assert "3 kept" in out
    assert f"set: {kept + 3} pictures and annotations.json" in out
    assert "next: unlite finetune palm_detection_full --data set -o set.keras" in out
    again = document(capsys, "collect", "pictures", "fist.avi", *given)
    assert again["dropped"]["copy"] >= kept + 3
    assert again["labels"] == {"fist": kept + 3}
    images = json.loads(Path("set/annotations.json").read_text())["images"]
    assert {image["source"] for image in images} == {"fist.avi", "0.png", "1.png", "2.png"}
    assert {image.get("person") for image in images} == {"ben", None}
    assert len(list(Path("set/fist/ben").glob("*.jpg"))) == kept


def test_unreadable_files_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(10):
        Path("pictures", f"{number}.jpg").write_text("no picture")
    out = output(capsys, "collect", "pictures", "--label", "fist", "-o", "set")
    assert "left out: pictures/0.jpg is not a picture" in out
    assert "… and 2 more; --json lists all" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "fist"], "nothing shows 'fist'\nhint: name a video, a folder or a camera; or --labels"),
        (["fist.avi"], "nothing says what fist.avi shows\nhint: --label L"),
        (["fist.avi", "--label", "fist", "--labels", "fist,palm"], "give one of them"),
        (["fist.avi", "--label", "fist", "--frames", "0"], "at least 1"),
        (["--labels", "fist,Fist"], "labels 'fist' and 'Fist' would be one folder"),
        (["--labels", "../fist"], "cannot be a folder"),
        (["--labels", "fist,<b>"], "cannot be a folder"),
        (["--labels", "fist", "--person", "a/b"], "person 'a/b' cannot be a folder"),
        (["missing.mp4", "--label", "fist"], "no such file: missing.mp4"),
        (["mine", "--label", "fist"], "mine has no pictures"),
        (["fist.avi", "--label", "fist", "--model", "missing.tflite"], "no such file: missing.tflite"),
        (["fist.avi", "--label", "fist", "--model", "hand_landmark_full"], "no known detector takes"),
        (["fist.avi", "--label", "fist", "-o", "fist.avi"], "fist.avi is no folder"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    Path("mine").mkdir()
    check_refused(capsys, "collect", *arguments, message=message)


def test_folder_without_labels_and_labels_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_error(capsys, "collect", "-o", "set")
    assert (code, "set has no labels yet" in err) == (2, True)
    output(capsys, "collect", "fist.avi", "--label", "fist", "-o", "set")
    code, _, err = run_error(capsys, "collect", "--labels", "palm,none", "-o", "set")
    assert code == 2
    assert "set has pictures of fist, and the labels are palm, none" in err
    assert "hint: name all of them: palm,none,fist; or take another folder" in err


def test_film_without_frames_and_camera_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.mp4").touch()
    for source in ("empty.mp4", "97"):
        code, _, err = run_error(capsys, "collect", source, "--label", "fist", "-o", "set")
        assert (code, "gives no pictures" in err) == (2, True)


def test_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = run_error(capsys, "collect", "--labels", "fist", "-o", "set", "--port", port, "--no-browser")
    assert (code, f"port {port} on 127.0.0.1" in err) == (2, True)
    code, _, err = run_error(capsys, "collect", "--labels", "fist", "-o", "set", "--port", "99999", "--no-browser")
    assert (code, "port 99999" in err) == (2, True)


def test_page_opens_in_the_browser_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(server, "serve", lambda desk, port, ready: ready(f"http://here/{port}/{desk.jobs.folder.name}"))
    for more in ([], ["--no-browser"]):
        code, out, err = run_error(capsys, "collect", "--labels", "fist,none", "-o", "set", "--port", "5", *more)
        assert (code, "open http://here/5/set-run" in err) == (0, True)
        assert "set: 0 pictures and annotations.json" in out
        assert "next: " not in out
    assert opened == ["http://here/5/set-run"]


def test_nothing_of_keras_is_imported_for_the_page() -> None:
    rooms = ("commands.collect", "collecting.serving.app", "collecting.sources", "collecting.jobs")
    code = f"import sys, {', '.join(f'unlite.{room}' for room in rooms)}"
    heavy = "{'keras', 'tensorflow', 'cv2', 'skimage', 'starlette', 'uvicorn', 'plotly', 'imagehash'}"
    made = process(code=f"{code}; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)")
    assert made.returncode == 0, made.stderr
