"""The wheel by itself: every file is in it, and every command does its main job in an empty folder.

Nothing of the checkout's packages is imported here, lest it stand in for what the wheel lacks.
"""

import base64
import gzip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import converter
import parity
import unlite
from unlite.commands.main import VERBS
from unlite.detection.drawn import DrawnHand, draw
from unlite.training.drawn.sets import Drawn, drawn_set

pytestmark = pytest.mark.wheel
CHECKOUT = Path(__file__).parents[2]
INSTALLED = Path(sysconfig.get_path("purelib"))
PACKAGES = ("converter", "parity", "unlite")
NAME = "face_detection_short_range"  # the smallest detector
SECONDS = 300  # far more than any command takes


class Job(NamedTuple):
    """One run of a command.

    Attributes:
        arguments: What stands behind the verb.
        says: Part of what it prints.
        writes: The files that it leaves, which are not empty.
        check: What else has to hold, in the folder.
    """

    arguments: str
    says: str
    writes: Sequence[str] = ()
    check: Callable[[Path], None] = lambda _: None


def page_is_complete(folder: Path) -> None:
    """The template's words and Plotly are in it."""
    page = (folder / "page.html").read_text("utf-8")
    assert page.rstrip().endswith("</html>")
    assert f" against {NAME}</title>" in page
    (plotly,) = re.findall(r'id="plotly">([^<]*)</script>', page)
    assert "plotly.js v" in gzip.decompress(base64.b64decode(plotly))[:200].decode()


# What each command is for.
JOBS: dict[str, Sequence[Job]] = {
    "convert": [Job("hand_recrop -o crop.keras", "same as the original", ["crop.keras"])],
    "inspect": [Job(NAME, "can be converted")],
    "transfer": [Job(f"{NAME} face.keras -o moved.keras", "same: ", ["moved.keras"])],
    "parity": [
        Job(
            f"{NAME} face.keras --html page.html --save-trace trace.npz",
            "same: ",
            ["page.html", "trace.npz"],
            page_is_complete,
        )
    ],
    "export": [
        Job(f"face.keras --like {NAME} -o face.tflite", "byte for byte", ["face.tflite"]),
        Job(f"face.keras --like {NAME} -o face.onnx --onnx", "(ONNX Runtime)", ["face.onnx"]),
        Job(
            f"face.keras --like {NAME} -o int8.tflite --dtype int8 --representative pictures",
            "come from 1 inputs",
            ["int8.tflite"],
        ),
    ],
    "finetune": [
        Job(
            "palm_detection_full --data gestures --copies 1 --epochs 1 --width 8 -o gestures.keras",
            "wrote gestures.keras: fist, open",
            ["gestures.keras", "gestures-run/report.html"],
        )
    ],
    "detect": [Job("pictures/hand.png --model palm_detection_full --draw drawn.png", "1 found", ["drawn.png"])],
    "collect": [Job("--label fist pictures -o collected", "1 pictures and", ["collected/annotations.json"])],
    "heads": [Job(f"{NAME} --classes 2 --design joint --seconds 0 --plot heads.svg", "For 2 classes", ["heads.svg"])],
    "zoo": [Job("", NAME)],
    "zoo list": [Job("--json", f'"name": "{NAME}"')],
    "zoo fetch": [Job(NAME, NAME)],
    "demo": [Job("-o demo", "1 found by both", ["demo/palm_detection_full.keras", "demo/hands.png"])],
}


def not_installed(names: Iterable[str], packages: Path) -> list[str]:
    """Which of the checkout's files are missing from a folder of packages, or others there."""
    return [
        name
        for name in names
        if not (packages / name).is_file() or (packages / name).read_bytes() != (CHECKOUT / name).read_bytes()
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all commands run: pictures, a converted model, and nothing else."""
    made = tmp_path_factory.mktemp("work")
    (made / "pictures").mkdir()
    draw(480, 480, [DrawnHand(0.5, (0.5, 0.52))], (255, 255, 255)).save(made / "pictures" / "hand.png")
    drawn_set(made / "gestures", 4, drawn=Drawn(("open", "fist"), persons=2, others=0))
    converted = unlite_in(made, f"convert {NAME} -o face.keras --no-verify")
    assert converted.returncode == 0, converted.stderr
    return made


def unlite_in(folder: Path, arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the program that the wheel has installed."""
    command = [str(Path(sysconfig.get_path("scripts"), "unlite")), *arguments.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )


@pytest.mark.parametrize("module", [converter, parity, unlite])
def test_what_is_tested_is_the_wheel(module: ModuleType) -> None:
    assert Path(module.__file__ or "").is_relative_to(INSTALLED)
    assert str(CHECKOUT) not in sys.path


def test_every_file_is_installed() -> None:
    git = shutil.which("git") or "git"
    command = [git, "-C", str(CHECKOUT), "ls-files", "-z", *PACKAGES]
    tracked = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    assert {"converter/zoo/zoo.toml", "parity/report/templates/parity.html.j2"} <= set(tracked)
    assert not_installed(tracked, INSTALLED) == []


def test_file_that_is_not_installed_is_found(tmp_path: Path) -> None:
    names = ["converter/__init__.py", "converter/zoo/zoo.toml", "parity/report/templates/parity.html.j2"]
    for name in names[:2]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, tmp_path / name)
    assert not_installed(names, tmp_path) == names[2:]
    (tmp_path / names[1]).write_text("of another version")
    assert not_installed(names, tmp_path) == names[1:]


def test_every_command_has_a_job() -> None:
    inner = {f"{verb.name} {each.name}" for verb in VERBS for each in verb.verbs}
    assert {verb.name for verb in VERBS} | inner == set(JOBS)


@pytest.mark.parametrize(
    ("verb", "job"),
    [pytest.param(verb, job, id=f"{verb} {job.arguments}".strip()) for verb, jobs in JOBS.items() for job in jobs],
)
def test_main_job(verb: str, job: Job, folder: Path) -> None:
    made = unlite_in(folder, f"{verb} {job.arguments}")
    assert made.returncode == 0, made.stderr
    assert job.says in made.stdout
    assert all((folder / name).stat().st_size for name in job.writes)
    job.check(folder)


def test_pytest_has_the_fixture(assert_parity: Callable[..., object]) -> None:
    assert assert_parity is parity.assert_parity
